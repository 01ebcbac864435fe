"""Watching a command while it runs: what it tells, and the page in a browser that shows it."""
