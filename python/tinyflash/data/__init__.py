"""Recordings of users: sets, their import and export, windows, splits."""
