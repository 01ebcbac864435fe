"""How far ahead can a signal be foreseen, and from how much of its past."""
