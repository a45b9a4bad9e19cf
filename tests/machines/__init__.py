"""The machines people have: PyTorch's builds for GPUs bring triton, which TensorFlow can crash."""
