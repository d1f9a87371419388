"""A model's process as the worker sees it: started, asked, and not believed."""
