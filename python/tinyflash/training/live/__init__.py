"""Learning from a stream of windows: each is classified before it is learned from."""
