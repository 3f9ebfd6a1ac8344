"""Which unit each column of a stored state is of, and which step each of its rows."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...arrays.axes import Rows
from ...errors import BadStates
from ...network.cells import made_of
from ...network.pooling import FINAL, POOLINGS
from .described import Said, read
from .parts import AVERAGE
from .steps import KeptSteps

__all__ = ["kept_steps", "unit_numbers"]


class _Sizes(NamedTuple):
    cell: str
    units: int
    width: int


def kept_steps(attributes: Mapping[str, Any]) -> KeptSteps:
    """Return the choice of steps that the root attributes of a file name."""
    return KeptSteps(attributes.get("every"), attributes.get("last_steps"))


def unit_numbers(provenance: Mapping[str, Any], name: str, width: int) -> Rows:
    """Return the number of the unit in each column of a dataset; of [cell, hidden], first those of the cell.

    Parameters
    ----------
    provenance : mapping
        Of the file, which anybody may have edited.
    name : str
        Path of a state or pooled vector.
    width : int
        W.

    Raises
    ------
    BadStates
        The provenance does not fit the dataset.
    """
    group, _, last = name.strip("/").rpartition("/")
    state, _, pooling = last.rpartition("_")
    state, pooling = (state, pooling) if pooling in POOLINGS else (last, "")
    try:
        said = read(provenance.get("kept"))
        units = said.kept.units_of(group)
        if units is None:
            return np.arange(width)
        sizes = _sizes(said, group, provenance["hidden_widths"])
        parts = [sizes.width if one == "hidden" else sizes.units for one in made_of(sizes, state)]
        numbers = [unit for size in parts for unit in (range(size) if pooling == FINAL else units.of(size))]
        if len(numbers) != width:
            raise ValueError(f"{len(numbers)} units for {width} columns")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as reason:
        raise BadStates(
            f"'{name}': its provenance does not say which units it has ({type(reason).__name__}: {reason}). The file "
            "is damaged or was edited; make it again."
        ) from reason
    return np.array(numbers, np.int64)


def _sizes(said: Said, group: str, widths: list[int]) -> _Sizes:
    """Return the sizes of the part in a group; of an average, those of its first layer in this direction."""
    computed = said.computed or []
    by_group = {part["group"].strip("/"): (part, width) for part, width in zip(computed, widths, strict=True)}
    if group not in by_group and group.partition("/")[0] == AVERAGE:
        group = said.kept.average[0]
    part, width = by_group[group]
    return _Sizes(str(part["cell_type"]), int(part["units"]), int(width))
