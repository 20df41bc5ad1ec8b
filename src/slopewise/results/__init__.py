"""What a solution means: statistics, predictions, text, a file, a script."""
