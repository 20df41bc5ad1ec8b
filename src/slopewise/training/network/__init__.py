"""Training of networks: one by the loop, or many starts as one batch."""
