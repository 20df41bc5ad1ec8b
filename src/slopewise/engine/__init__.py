"""Sums over rows, and nothing else: the only room that knows of threads, devices and machines."""
