"""Every state of every step inside a TensorFlow graph, with gradients: for layers that are trained.

``layout`` maps steps between a batch and time order, ``looped`` runs any cell and leaves the gradient to TensorFlow,
``fused`` runs plain LSTMs in TensorFlow's op over many steps with its own gradient, ``unrolling`` combines them.
Nothing here knows Keras; the equations are those of ``rnnstates.network.cells``.
"""
