"""The kernels by family."""
