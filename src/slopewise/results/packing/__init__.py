"""A fit as a header of plain values and named tensors, and back."""
