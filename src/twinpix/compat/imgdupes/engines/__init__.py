"""Libraries that find candidates: a module each, with `LIBRARY`, `neighbours` and `candidates`."""
