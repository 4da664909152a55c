"""Move redundant objects of a store within the store, and back: plan, journal, checked copy, then deletion."""
