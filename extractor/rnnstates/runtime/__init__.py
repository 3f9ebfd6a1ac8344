"""The process that all runs in: signals, names of files, threads of BLAS, TensorFlow's start and its log."""
