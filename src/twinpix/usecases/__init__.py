"""What twinpix does, one module each: find, query, compare, encode. Reads only; `act` changes files."""
