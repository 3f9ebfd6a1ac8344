"""Outputs for ``verify``: making them, looking at healthy ones, damaging others."""

import json

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadStates, Network, RecurrentLayer
from rnnstates.pooling import POOLINGS

from ..builders import bidirectional_stack, layer_weights, ragged

ALL_POOLS = ",".join(POOLINGS)
INPUTS, LENGTHS = ragged(sequences=9, steps=8, features=3)
INPUTS = np.nan_to_num(INPUTS).astype(np.float32)

NETWORKS = {
    "a bidirectional stack": bidirectional_stack(),
    "a backward layer": Network((RecurrentLayer("lstm", backward=layer_weights(3, 5)),)),
    "a projection": Network(
        (
            RecurrentLayer(
                "lstm",
                forward=rnnstates.LayerWeights(
                    np.ones((3, 20)) * 0.1, np.ones((2, 20)) * 0.2, np.zeros(20), projection=np.ones((5, 2)) * 0.3
                ),
            ),
        )
    ),
}


def make(inputs="in.h5", lengths=None, output="out.h5", **options):
    options = {"weights": "w.weights.h5", "engine": "numpy", "pool": ALL_POOLS, **options}
    rnnstates.extract(inputs, lengths, output=output, **options).close()


def right(path="out.h5", **options):
    """Verify all sequences of a healthy file."""
    found = rnnstates.verify(path, **{"sample": 100, **options})
    assert found["reason"] is None
    assert found["recomputed"]
    return found


def edit(name, place, value, path="out.h5"):
    with h5py.File(path, "r+") as file:
        file[name][place] = value


def wrong(message, error=BadStates, path="out.h5", **options):
    """Verify a damaged file; the message must match."""
    with pytest.raises(error, match=message) as raised:
        rnnstates.verify(path, **{"sample": 100, **options})
    assert str(raised.value).endswith((".", ")"))


def edit_provenance(**values):
    with h5py.File("out.h5", "r+") as file:
        made = json.loads(file.attrs["provenance"])
        for name, value in values.items():
            if value is None:
                del made[name]
            else:
                made[name] = value
        file.attrs["provenance"] = json.dumps(made)
