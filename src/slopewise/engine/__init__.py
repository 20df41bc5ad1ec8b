"""Sums over rows: the only package that handles threads and devices."""
