"""The command line of rnnstates: a thin shell over the library."""
