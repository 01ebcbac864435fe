"""The training application: samples, targets, the training loop, health, and host or board."""
