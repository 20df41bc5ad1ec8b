"""Gradient descent: loop.py first, then what prepares, observes and concludes it."""
