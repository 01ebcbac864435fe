"""Chooses what to train, for a board."""
