"""Stage 5, training: exact solvers, likelihood solvers and gradient descent, from a Problem to its solution."""
