"""Glyphs: letters rendered from fonts."""
