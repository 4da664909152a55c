"""Content of two aligned images: block agreement, overlays, print, exclusive content."""
