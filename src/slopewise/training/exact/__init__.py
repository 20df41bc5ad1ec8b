"""Exact solvers of linear least squares, with an estimate of the correct digits."""
