"""Stage 3: how wrong one row is."""
