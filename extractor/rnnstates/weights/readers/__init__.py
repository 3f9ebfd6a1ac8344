"""One module a container of weights."""
