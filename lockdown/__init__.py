"""The locks that a model's process puts on itself: Landlock, seccomp, limits."""
