"""What a fitted model remembers of the rows it was trained on."""
