"""Common parts of approximate back ends: exact re-ranking of candidates, and indexes saved to disk."""
