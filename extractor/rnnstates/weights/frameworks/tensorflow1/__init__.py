"""TensorFlow 1: cells by the names or shapes of their variables, held against the graph where that lies beside them.

``names`` and ``places`` find the cells, ``shapes`` those of other names, ``stacks`` puts them in order. ``graph`` reads
what lies beside a checkpoint and is never run; ``steps`` finds the step of each cell in it, ``equations`` and
``blocks`` its settings, ``between`` what stands between two layers.
"""

from .stacks import fits, hint, interpret, recognises

__all__ = ["fits", "hint", "interpret", "recognises"]
