"""A run from its options to its output: checked, planned in windows and tiles, computed, resumed, described."""
