"""A fit as text and as plain JSON values."""
