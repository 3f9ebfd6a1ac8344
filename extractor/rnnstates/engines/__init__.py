"""How states are computed: cells know one step, an unroll knows time, a stack knows layers and directions.

Nothing here knows files. TensorFlow is imported by ``tensorflow`` alone, when an engine of that name is made.
"""
