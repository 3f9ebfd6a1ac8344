"""Array operations that know neither networks nor files: axes, padding, copying rows, checksums, reused memory."""
