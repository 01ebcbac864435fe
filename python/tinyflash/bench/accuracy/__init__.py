"""The accuracy benchmark: eleven methods on six tasks."""
