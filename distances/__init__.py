"""How far two tables, columns or answers are apart."""
