"""Stage 1: where rows come from, and how columns become x, y and w."""
