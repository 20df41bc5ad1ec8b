"""Means and cross products of the rows (their moments), from one pass, and the quadratic cost made of them."""
