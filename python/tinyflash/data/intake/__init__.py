"""Reads files that others have written, as recordings of a set: one module for each format."""
