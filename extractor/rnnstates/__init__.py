"""Everything an RNN knew, at every time step."""
