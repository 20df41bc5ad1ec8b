"""Gradient descent: the training loop, its monitoring and checkpoints, and its closed form for squared loss."""
