"""Keep rules by what an image shows: its size, frames, colours and edits."""
