"""The game: recipes, players, the training step, and sampling from trained generators."""
