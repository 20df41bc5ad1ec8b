"""Training of neural networks: one by the loop, or several initializations as one batch."""
