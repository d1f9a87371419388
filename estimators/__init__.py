"""A fitted model loaded, and asked for answers."""
