"""From fingerprints to verified matches."""
