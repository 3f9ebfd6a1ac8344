"""The TensorFlow engine: plain LSTMs in a fused op, block by block; other cells in a loop over packed rows."""
