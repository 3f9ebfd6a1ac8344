"""States files for other programs to open, and what each must read in them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

import rnnstates

from ..builders import bidirectional_stack, one_layer, ragged

__all__ = ["Made", "make"]

ASCII = ["first", "a/b", "", *(f"row{number}" for number in range(6))]
OTHER = ["größe", "日本", "", *(f"row{number}" for number in range(6))]
CASES = {
    "padded": (one_layer, {}, ASCII, "cell"),
    "packed": (one_layer, {"layout": "packed"}, ASCII, "cell"),
    "stacked": (bidirectional_stack, {}, ASCII, "layer1/backward/cell"),
    "other letters": (one_layer, {}, OTHER, "cell"),
}


class Made(NamedTuple):
    """A file, and what is in it.

    Parameters
    ----------
    path : Path
    dataset : str
        The one to read.
    shape : list of int
        As h5py shows it.
    axes : list of str
    value : float
        Of sequence 0, step 1, unit 2.
    lengths : list of int
    ids : list of str
    sums : list of int
        The shape of ``integrity/sums``.
    """

    path: Path
    dataset: str
    shape: list[int]
    axes: list[str]
    value: float
    lengths: list[int]
    ids: list[str]
    sums: list[int]


def make(folder: Path) -> dict[str, Made]:
    """Write every case; what to expect comes from the states in memory."""
    inputs, lengths = ragged()
    return {
        name: _made(folder / f"{name.replace(' ', '_')}.h5", inputs, lengths, *case) for name, case in CASES.items()
    }


def _made(path, inputs, lengths, build, options, ids, dataset):
    rnnstates.extract(inputs, lengths, weights=build(), ids=ids, output=path, **options).close()
    memory = rnnstates.extract(inputs, lengths, weights=build(), **options)
    states = [name for name in memory.datasets if name not in ("lengths", "offsets")]
    row = int(np.argmax(np.asarray(lengths) > 1))
    assert row == 0, "the first sequence has a second step"
    return Made(
        path, dataset, list(memory[dataset].shape),
        ["step", "unit"] if "layout" in options else ["sequence", "time", "unit"],
        float(memory[0][dataset][1, 2]), list(lengths), list(ids), [1, len(states), 2],
    )  # fmt: skip
