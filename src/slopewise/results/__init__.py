"""Stage 6: what a solution means, in words, tables, predictions and a file."""
