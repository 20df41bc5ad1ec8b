"""Three gradients of one function side by side: by hand, by central differences, by autograd."""
