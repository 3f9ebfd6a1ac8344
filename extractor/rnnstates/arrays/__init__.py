"""What arrays are here: the letters of their axes, padding, copies, checksums, memory that is used again."""
