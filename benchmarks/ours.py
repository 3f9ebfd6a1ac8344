"""rnnstates itself, with each of its engines, arrays to arrays."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from cases import Data
from peers.base import Joined, Part, Peer, Run

import rnnstates

# As the command sets it for itself, and docs/engines.md tells those who call from Python.
ENVIRONMENT = {"TF_NUM_INTRAOP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def prepare(data: Data, engine: str, precision: str) -> dict[str, Run]:
    network = load_network(data)
    return {
        layout: partial(_run, data, network, layout=layout, engine=engine, precision=precision)
        for layout in rnnstates.LAYOUTS
    }


def load_network(data: Data) -> rnnstates.Network:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.npz"
        np.savez(path, kernel=data.kernel, recurrent_kernel=data.recurrent_kernel, bias=data.bias)
        return rnnstates.load_weights(path, convention="keras")


def _run(data: Data, network: rnnstates.Network, *, layout: str, **options: str) -> list[Part]:
    states = rnnstates.extract(data.inputs, data.lengths, weights=network, pool=None, layout=layout, **options)
    hidden, cell = states["hidden"], states["cell"]
    if layout == "packed":
        hidden, cell = (Joined(values, states["offsets"]) for values in (hidden, cell))
    return [Part(np.arange(len(data.lengths)), hidden, cell)]


def _peer(engine: str, precision: str) -> Peer:
    about = partial(prepare, engine=engine, precision=precision)
    return Peer("c+h", ("rnnstates",), about, exact=precision == "float32", environment=ENVIRONMENT)


def _ours(precision: str, engines: Iterable[str]) -> dict[str, Peer]:
    suffix = "" if precision == "float32" else f" {precision}"
    return {f"rnnstates {engine}{suffix}": _peer(engine, precision) for engine in engines}


OURS = _ours("float32", ("auto", *rnnstates.ENGINES))
OURS |= _ours("bfloat16", ("auto", "compiled"))
