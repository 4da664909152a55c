"""imagededup's inner modules, for those who import from them."""
