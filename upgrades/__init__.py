"""Brings fitted models of older scikit-learn into today's form while they are read.

One module by family; each step is one change of one class between two releases, with its source.
"""
