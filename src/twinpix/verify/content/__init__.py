"""What two aligned images show: blocks that agree, overlays, print, exclusive content."""
