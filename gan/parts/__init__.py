"""What a recipe names: losses, penalties, priors, inits, optimizers, augmentations, auxiliary heads and networks."""
