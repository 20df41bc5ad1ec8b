"""A fit as a script of plain PyTorch, its five stages in the order in which they run."""
