"""The page of a search for a network: accuracy against memory and instructions, and boards."""
