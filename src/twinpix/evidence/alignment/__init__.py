"""Alignment of two images: affine transforms from keypoints or from correlation."""
