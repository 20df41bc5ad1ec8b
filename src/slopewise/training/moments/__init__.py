"""Everything that least squares asks of the rows, from one read."""
