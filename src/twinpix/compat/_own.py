"""The network of the package with all 1,024 dimensions, as these interfaces use it; twinpix itself uses fewer."""

NUMBERS = 1024
SPEC = f"cnn:dims={NUMBERS}"
