"""The process that all runs in: signals, threads of BLAS, TensorFlow's start and what it writes to standard error."""
