"""Collects the states of a whole Keras model: it runs unchanged while its recurrent layers are recorded.

``collect`` is the entry point and ``prepare`` plans. ``model_file`` loads a file, ``finding`` finds the recurrent
layers, ``feeding`` reads the inputs, ``counting`` decides which steps count, ``lookups`` checks ids. ``windows`` runs
batches and hands their states to a sink; ``running`` is the graph of a batch, ``tapping`` records the layers in it, and
``checking`` checks their states. ``recording`` writes provenance, with digests by ``architecture`` and ``code``.
"""
