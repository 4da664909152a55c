"""What approximate back ends share: exact distances of what they find, and indexes kept on disk."""
