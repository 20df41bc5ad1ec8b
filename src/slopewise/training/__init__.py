"""Stage 5: from a problem to its solution."""
