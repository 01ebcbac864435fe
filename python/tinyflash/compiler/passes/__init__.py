"""Passes: each turns one graph into another."""
