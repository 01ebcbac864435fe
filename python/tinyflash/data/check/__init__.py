"""Label errors: which labels of a set a network, trained on the others, does not believe."""
