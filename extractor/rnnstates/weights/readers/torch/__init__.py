"""PyTorch's files: their pickles are looked through before PyTorch reads weights alone."""
