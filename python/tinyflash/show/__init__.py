"""Output for people: the terminal, pictures, and the report on a compilation."""
