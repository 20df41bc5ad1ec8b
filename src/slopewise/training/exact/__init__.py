"""Linear least squares, solved exactly."""
