"""One run, from options to output: checks, the plan of windows and tiles, the threads that compute tiles, resuming."""
