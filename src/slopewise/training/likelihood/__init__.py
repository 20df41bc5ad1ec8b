"""Solvers of a summed convex loss: Newton, L-BFGS, proximal Newton, Firth."""
