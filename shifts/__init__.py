"""What simulated drift does to a model's answers, and from where on they break."""
