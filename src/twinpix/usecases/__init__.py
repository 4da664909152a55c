"""The operations, one module each: find, query, compare, encode, export.

They only read the user's files, and `export` writes new ones; `act` changes files.
"""
