"""A user's own folder: a prior, a loss, a callback and a variant, with no change in `gan`."""
