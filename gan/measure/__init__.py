"""Measures of generated images, each with the protocol that its number depends on."""
