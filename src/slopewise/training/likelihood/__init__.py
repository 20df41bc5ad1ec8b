"""Likelihood solvers, for any convex summed loss of a linear model: Newton, L-BFGS, proximal Newton, Firth."""
