"""The accuracy benchmark: ten methods on six tasks."""
