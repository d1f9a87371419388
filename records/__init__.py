"""What crosses a boundary: frozen types, one module a section of the report, and what follows from one alone.

Promises: no numpy outside of annotations, no I/O, no engine. Leaves computing any of it to the engines.
"""
