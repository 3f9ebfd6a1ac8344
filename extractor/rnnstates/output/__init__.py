"""The output: its file format, writing it so that nothing finished is lost, resuming and reading it."""
