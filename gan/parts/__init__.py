"""Small functions that a recipe names: losses, penalties, priors, inits, optimizers, augmentations, networks."""
