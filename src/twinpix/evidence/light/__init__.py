"""Photometric differences of two aligned images: tone curves, inversion, blur, flat areas."""
