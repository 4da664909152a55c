"""Local features: keypoints, candidate images by the codes of keypoints, votes for one transform."""
