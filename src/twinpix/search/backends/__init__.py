"""Search back ends, one file each: exact ones, and an approximate one that uses faiss."""
