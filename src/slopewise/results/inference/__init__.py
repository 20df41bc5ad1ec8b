"""Standard errors, tests, intervals and the statistics of a whole fit."""
