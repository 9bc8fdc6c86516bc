"""Request bodies <-> tensors, one module per protocol."""
