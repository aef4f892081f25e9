"""How much memory a model takes, from its files alone. Pure."""
