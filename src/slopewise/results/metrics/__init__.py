"""How good predictions are on given rows."""
