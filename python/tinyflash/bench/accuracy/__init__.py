"""How well networks learn: ten methods on six tasks."""
