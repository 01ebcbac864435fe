"""Scripts that train the networks of zoo/networks. They need torch."""
