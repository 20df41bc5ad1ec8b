"""Stage 2: the models, which map columns to predictions."""
