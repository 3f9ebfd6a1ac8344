"""Checks a states file: that it is complete, unchanged and consistent, and that a recomputed sample agrees with it."""
