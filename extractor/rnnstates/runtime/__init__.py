"""The process and its system: signals, standard error, BLAS threads, start of TensorFlow, safe renaming of files."""
