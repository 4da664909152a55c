"""What file formats say of an image without decoding it."""
