"""The public operations, one module each: find, query, compare, encode. They only read; `act` changes files."""
