"""Scripts that train the networks of zoo/networks: they need torch, nothing else does."""
