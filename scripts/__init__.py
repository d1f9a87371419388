"""What writes files of this project out of its own code, or pictures: `python -m scripts.NAME`."""
