"""Figures held against limits: gates over any figure of the report, and what noise leaves open."""
