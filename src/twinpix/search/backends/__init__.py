"""Search back ends, one file each; exact ones, and approximate ones of other libraries."""
