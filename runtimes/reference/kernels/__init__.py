"""Float64 reference kernels and integer twins, by family."""
