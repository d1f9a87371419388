"""Schemas and samples against rows: reading a sample, fitting a schema, rows that hang together."""
