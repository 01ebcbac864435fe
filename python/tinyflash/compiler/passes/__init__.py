"""Passes: each makes one graph of another."""
