"""How states are computed: engines unroll a layer over time, a stack runs the layers of a network in both directions.

Nothing here knows files or starts threads for tiles (``extraction/schedule`` does). Only ``tensorflow`` imports
TensorFlow, when an engine of that name is made.
"""
