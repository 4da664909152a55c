"""The package's own network as these interfaces give it: with all of its numbers, of which twinpix takes fewer."""

NUMBERS = 1024
SPEC = f"cnn:dims={NUMBERS}"
