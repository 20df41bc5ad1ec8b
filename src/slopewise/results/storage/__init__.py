"""A fit in one safetensors file."""
