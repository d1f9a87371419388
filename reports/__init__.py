"""A report told to people and programs: exports, findings, figures, words."""
