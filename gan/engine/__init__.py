"""The game: recipes, the players, the training step, and sampling from what it trained."""
