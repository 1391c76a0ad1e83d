"""Ablations: many runs that answer one question."""
