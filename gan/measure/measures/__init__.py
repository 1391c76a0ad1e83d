"""Measures of a generator: pure functions of arrays of real and generated images, features, logits or labels."""
