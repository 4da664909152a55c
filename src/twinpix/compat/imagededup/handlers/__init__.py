"""Internal modules of imagededup, for programs that import from them."""
