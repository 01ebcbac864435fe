"""Whether training wears a network out."""
