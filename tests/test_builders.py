"""Which engines a test of a reader runs."""

import dataclasses

from .builders import BUILT_ENGINES, engines_for, layer_weights, one_layer


def test_each_equation_reaches_every_engine_once_and_then_all_but_tensorflow():
    first = dataclasses.replace(one_layer(seed=1).layers[0], forward=layer_weights(3, 5, cell_clip=0.123))
    network = dataclasses.replace(one_layer(), layers=(first,))
    assert engines_for(network) == BUILT_ENGINES
    cheap = [name for name in BUILT_ENGINES if name != "tensorflow"]
    other = dataclasses.replace(first, name="another", forward=layer_weights(2, 7, seed=2, cell_clip=0.123))
    assert engines_for(dataclasses.replace(network, layers=(other,))) == cheap
    assert engines_for(network, "float64") == BUILT_ENGINES
    clipped_elsewhere = dataclasses.replace(first, forward=layer_weights(3, 5, cell_clip=0.124))
    assert engines_for(dataclasses.replace(network, layers=(clipped_elsewhere,))) == BUILT_ENGINES
