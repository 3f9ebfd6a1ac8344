"""The command ``rnnstates``: each command parses its options, makes one library call and prints one summary."""
