"""Gradient checking: by hand, by central differences and by autograd."""
