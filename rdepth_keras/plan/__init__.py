"""A training step on a GPU, known before one is rented: memory, kernels, bytes, a bound of time."""
