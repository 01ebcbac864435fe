"""The accuracy benchmark: twelve methods on six tasks."""
