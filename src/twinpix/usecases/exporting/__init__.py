"""Parts of `export`: the journal, and the folder or store that is written to."""
