"""Measurements of one image, and of two images under one transform, from which `twinpix.verify` decides.

- `pyramid`, `page_features`: one image at reduced resolutions, its border and keypoints; what it has of a page
- `alignment`: transforms from keypoints, warping, agreement of blocks, screening at 96 pixels, refinement
- `light`: tone curve, vignette, inverted tones, blur, illumination, smooth distortion, images without texture
- `content`: content that one image has and the other one lacks: objects, overlays, print at full resolution
- `edit_features`, `added_border`: the differences of two copies
- `masks`, `quadratic`: functions that the others share

Other packages import what they need of it from `twinpix.verify`.
"""
