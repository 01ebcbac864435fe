"""Fuzzing of everything that reads a user's files; `python -m tests.fuzz --help`."""
