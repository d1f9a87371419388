"""How a model behaves, told without labels."""
