"""Choosing what to train, for a board."""
