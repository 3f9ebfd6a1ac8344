"""Writes what a states file holds as the tables and tensors of other programs, in bounded memory."""
