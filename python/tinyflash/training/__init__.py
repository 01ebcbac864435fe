"""The training application: samples, targets, the loop, its health, and where it runs."""
