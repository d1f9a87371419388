"""Files that hold more than a model, and companions beside one: their parts put together as one pipeline.

`entries` tells what a file or several files hold, `assembly` which of it is asked, in which order.
"""
