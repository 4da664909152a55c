"""Local features: keypoints, candidate pairs by matching keypoint codes, voting for a similarity transform."""
