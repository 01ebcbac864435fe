"""Runs compiled models: the session contract, and the learned bytes."""
