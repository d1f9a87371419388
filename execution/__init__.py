"""The stages of a run, as the worker walks them."""
