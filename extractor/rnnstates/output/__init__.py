"""What rnnstates writes: the file format, the sinks that fill it, and the reader that gives it back."""
