"""A state or pooled vector as a table of pandas or Arrow: a row for each step or sequence, a column for each unit."""

from typing import Any, TypeAlias

import numpy as np

from ...arrays.axes import Array, Flat
from ...errors import BadStates, EngineUnavailable, OptionError
from ...untrusted.hdf5 import reading
from .columns import column_names
from .datasets import Datasets
from .tokens import tokens
from .whole import Dataset, has_steps

__all__ = ["KINDS", "frame"]

# A table of a library that is imported when it is asked for.
Frame: TypeAlias = Any


def frame(datasets: Datasets, name: str, kind: str) -> Frame:
    """Return a table of one dataset, in memory.

    Raises
    ------
    OptionError
        The kind is unknown, or the dataset has no units.
    EngineUnavailable
        The library is not installed.
    """
    if kind not in KINDS:
        raise OptionError(f"kind={kind!r}: unknown; expected {', '.join(KINDS)}.")
    path = datasets.path(name)
    stored = datasets.whole.opened()[path]
    columns = _of_steps(datasets, name) if has_steps(path, stored) else _of_sequences(datasets, name, stored)
    if "ids" not in datasets.whole.datasets:
        del columns["id"]
    return KINDS[kind](columns)


def _of_steps(datasets: Datasets, name: str) -> dict[str, Flat]:
    found = tokens(datasets, name)
    return {"sequence": found.sequence, "id": found.id, "step": found.step} | _units(datasets, name, found.X)


def _of_sequences(datasets: Datasets, name: str, stored: Dataset) -> dict[str, Flat]:
    if stored.ndim > 2 or name.strip("/") == "offsets":
        raise OptionError(f"{name}: has no row for each sequence or step; expected a state or a pooled vector.")
    datasets.whole.check_shape(datasets.path(name), stored)
    with reading(f"{datasets.whole.where}: '{name}'", BadStates):
        values = np.asarray(datasets[name][()])
    return {"sequence": np.arange(len(values)), "id": datasets.ids()} | _units(datasets, name, values)


def _units(datasets: Datasets, name: str, values: Array) -> dict[str, Flat]:
    """Return the columns of units: ``hidden_0``, ``hidden_1``, …."""
    leaf = name.strip("/").rpartition("/")[2]
    if values.ndim == 1:
        return {} if leaf == "ids" else {leaf: values}
    names = column_names(leaf, datasets.units(name).tolist())
    return dict(zip(names, values.T, strict=True))


def _pandas(columns: dict[str, Flat]) -> Frame:
    try:
        import pandas as pd
    except ImportError as reason:
        raise EngineUnavailable(f"pandas cannot be imported ({reason}); pip install pandas.") from reason
    return pd.DataFrame(columns)


def _arrow(columns: dict[str, Flat]) -> Frame:
    try:
        import pyarrow as pa
    except ImportError as reason:
        raise EngineUnavailable(
            f"pyarrow cannot be imported ({reason}); pip install 'rnnstates[arrow]', or use kind=\"pandas\"."
        ) from reason
    return pa.table({name: pa.array(column) for name, column in columns.items()})


# How a table is made of columns.
KINDS = {"pandas": _pandas, "arrow": _arrow}
