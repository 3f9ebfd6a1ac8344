"""States as an ``xarray.Dataset``, or a tree of them for several layers, with coordinates; read when they are used."""

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from ...errors import EngineUnavailable
from ...network.names import FINAL, POOLING_NAMES
from ..carried import PER_SEQUENCE, PER_STEP, is_carried
from ..format import INPUT_LENGTHS
from ..kept.numbers import kept_steps
from ..layout import encoded
from .datasets import Datasets
from .tokens import places_of_steps
from .whole import Dataset, has_steps

try:
    import xarray
    from xarray.backends import BackendArray
    from xarray.core import indexing
except ImportError as reason:
    raise EngineUnavailable(f"xarray cannot be imported ({reason}); pip install xarray h5netcdf.") from reason

__all__ = ["labelled"]

# Dimensions and values by name.
Variables: TypeAlias = dict[str, tuple[tuple[str, ...], Any]]
# What coordinates say.
ABOUT = ("ids", "lengths", "offsets", INPUT_LENGTHS)


class StoredArray(BackendArray):  # type: ignore[misc]  # xarray's own base class of arrays that are read when used
    """A dataset that is read when it is used."""

    def __init__(self, datasets: Datasets, name: str, dataset: Dataset) -> None:
        self._datasets, self._name = datasets, name
        self.shape, self.dtype = dataset.shape, dataset.dtype

    def __getitem__(self, key: object) -> Dataset:
        basic = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, basic, self._datasets[self._name].__getitem__)


def labelled(datasets: Datasets) -> "xarray.Dataset | xarray.DataTree":
    """Return a dataset; for several layers a tree of one each."""
    coordinates = _coordinates(datasets)
    if datasets.layers == ["/"]:
        return xarray.Dataset(_variables(datasets), coordinates | _units(datasets), _attributes(datasets))
    if not hasattr(xarray, "DataTree"):
        raise EngineUnavailable(f"xarray {xarray.__version__} has no trees of datasets; pip install 'xarray>=2024.10'.")
    parts = {layer: replace(datasets, group=datasets.group_of(layer)) for layer in datasets.layers}
    trees = {f"/{layer}": xarray.Dataset(_of_layers(_variables(part)), _units(part)) for layer, part in parts.items()}
    root = xarray.Dataset(None, coordinates, _attributes(datasets))
    return xarray.DataTree.from_dict({"/": root, **trees, **_carried(_variables(datasets))})


def _of_layers(variables: Variables) -> Variables:
    return {name: variable for name, variable in variables.items() if not is_carried(name)}


def _carried(variables: Variables) -> "dict[str, xarray.Dataset]":
    """Return the groups of what was copied from the input, as in the file: a tree has no names with a slash."""
    groups: dict[str, Variables] = {PER_SEQUENCE: {}, PER_STEP: {}}
    for path, variable in variables.items():
        if is_carried(path):
            group, _, name = path.partition("/")
            groups[group][name] = variable
    return {f"/{group}": xarray.Dataset(found) for group, found in groups.items() if found}


def _attributes(datasets: Datasets) -> dict[str, Any]:
    """Return what the file says at its root; provenance as there, in JSON."""
    about = datasets.whole.attributes
    kept = {name: about[name] for name in ("format", "format_version", "layout", "padding") if name in about}
    return kept | {"layers": datasets.layers, "provenance": encoded(about["provenance"])}


def _coordinates(datasets: Datasets) -> Variables:
    found: Variables = {"sequence": (("sequence",), datasets.ids()), "lengths": (("sequence",), datasets.lengths)}
    kept = kept_steps(datasets.whole.attributes)
    if not kept.all:
        found[INPUT_LENGTHS] = ("sequence",), datasets.whole.input_lengths[datasets.all_rows()]
    if datasets.whole.packed:
        sequence, place = places_of_steps(datasets.lengths)
        step = datasets.whole.step_numbers(datasets.all_rows()[sequence], place)
        return found | {"step_sequence": (("step",), sequence), "step_time": (("step",), step)}
    if kept.last is not None or (kept.every and datasets.whole.attributes["padding"] == "pre"):
        # A column has steps of different numbers.
        return found
    padded = [dataset for name, dataset in _states(datasets) if has_steps(name, dataset)]
    return found | ({"time": (("time",), np.arange(padded[0].shape[1]) * (kept.every or 1))} if padded else {})


def _states(datasets: Datasets) -> list[tuple[str, Dataset]]:
    found = [(name, datasets.path(name)) for name in datasets if name not in ABOUT]
    opened = datasets.whole.opened()
    for _, path in found:
        datasets.whole.check_shape(path, opened[path])
    return [(name, opened[path]) for name, path in found]


def _units(datasets: Datasets) -> Variables:
    """Return the numbers of units of each width: [W]."""
    named = {dimensions[-1]: name for name, (dimensions, _) in _variables(datasets).items()}
    return {unit: ((unit,), datasets.units(name)) for unit, name in named.items() if unit.endswith("unit")}


def _variables(datasets: Datasets) -> Variables:
    found: Variables = {}
    for name, stored in _states(datasets):
        dimensions = _dimensions(datasets, name, stored)
        if isinstance(stored, np.ndarray):
            found[name] = dimensions, datasets[name]
        else:
            lazy = StoredArray(datasets, name, datasets[name])
            found[name] = dimensions, indexing.LazilyIndexedArray(lazy)
    return found


def _dimensions(datasets: Datasets, name: str, stored: Dataset) -> tuple[str, ...]:
    """Name the axes as the file does."""
    first: tuple[str, ...] = ("sequence",)
    if has_steps(name, stored):
        first = ("step",) if datasets.whole.packed else ("sequence", "time")
    rest = stored.ndim - len(first)
    if is_carried(name):
        return (*first, *(f"{name.partition('/')[2]}_axis{axis}" for axis in range(rest)))
    if rest != 1:
        return (*first, *(f"{name}_{axis}" for axis in range(rest)))
    state, _, pooling = name.rpartition("_")
    state = state if pooling in POOLING_NAMES else name
    if pooling == FINAL and _some_units(datasets):
        widest = max(one.shape[-1] for other, one in _states(datasets) if other.endswith(f"_{FINAL}"))
        return (*first, "all_unit" if stored.shape[-1] == widest else f"all_{state}_unit")
    return (*first, "unit" if stored.shape[-1] == _width(datasets) else f"{state}_unit")


def _some_units(datasets: Datasets) -> bool:
    """Return whether units of this layer are left out, except of final states."""
    kept = datasets.whole.attributes["provenance"].get("kept")
    units = kept.get("keep_units") if isinstance(kept, dict) else None
    return (datasets.group.rstrip("/") or "/") in units if isinstance(units, dict) else units is not None


def _width(datasets: Datasets) -> int:
    """Return H of a layer: the width of whatever no projection makes narrower, and [cell, hidden] no wider."""
    widths = {
        name.partition("_")[0]: stored.shape[-1]
        for name, stored in _states(datasets)
        if stored.ndim > 1 and not is_carried(name) and not (name.endswith(f"_{FINAL}") and _some_units(datasets))
    }
    narrow = {state: width for state, width in widths.items() if state != "state"}
    return max(narrow.values(), default=0)
