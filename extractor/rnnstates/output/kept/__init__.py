"""What of all that is computed a file holds: layers, units, steps, and the average of layers. Pure."""
