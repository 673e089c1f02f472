"""Numbers from tensors: pure functions."""
