"""A model's file read without executing any of it."""
