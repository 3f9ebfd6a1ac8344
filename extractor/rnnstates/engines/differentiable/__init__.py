"""Every state of every step inside a TensorFlow graph, for layers that are trained.

``layout`` knows where which step stands, ``looped`` runs any cell and leaves the gradient to TensorFlow, ``fused`` runs
plain LSTMs in TensorFlow's op over many steps with a gradient of its own, ``unrolling`` puts them together. Nothing
here knows Keras; the equations are those of ``rnnstates.network.cells``.
"""
