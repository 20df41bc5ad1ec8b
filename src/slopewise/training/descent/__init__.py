"""Gradient descent: the loop first, then what prepares, observes and concludes it."""
