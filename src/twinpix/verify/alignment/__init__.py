"""How one image lies on the other: affine transforms, by keypoints or by correlation."""
