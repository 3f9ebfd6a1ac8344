"""TensorFlow 1: finds cells by the names or shapes of their variables, and checks them against a graph if there is one.

``names`` and ``places`` find the cells, ``shapes`` those with custom names, ``stacks`` puts them in order. ``graph``
reads the graph next to a checkpoint, without running it; ``steps`` finds the step of each cell in it, ``equations`` and
``blocks`` its settings, ``between`` what stands between two layers.
"""

from .stacks import fits, hint, interpret, recognises

__all__ = ["fits", "hint", "interpret", "recognises"]
