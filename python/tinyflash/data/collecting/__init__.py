"""Recordings from the sensor of a board."""
