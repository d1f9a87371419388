"""Models by name: their runs, the baseline that is pinned, the gates that are kept, and trends."""
