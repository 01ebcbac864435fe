"""Searched networks against those of the zoo, and against random search in equal time."""
