"""Which parts of a network are stored, and the averages of several, which are stored like parts of their own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ...network.cells import Sizes
from ...network.model import DIRECTIONS, Direction
from .units import KeptUnits

__all__ = ["AVERAGE", "EVERYTHING", "Average", "HasParts", "Kept", "Named", "StoredParts", "group_name"]

# The group of the average of several layers.
AVERAGE = "average"


class Named(Protocol):
    """A layer, of which only the name matters here."""

    @property
    def name(self) -> str:
        """Its name in the model."""


class HasParts(Protocol):
    """A ``Network``, or anything else that has parts whose states are stored."""

    def parts(self) -> Iterator[tuple[str, Named, Direction, Sizes]]:
        """Yield (path, layer, direction, weights); used are the layer's ``name`` and the cell and sizes of weights."""


def group_name(part: str) -> str:
    """Return the name of a part's group as listed in the attribute ``layers``."""
    return part or "/"


@dataclass(frozen=True)
class Kept:
    """What is stored of a network.

    Parameters
    ----------
    layers : tuple of str or None
        Paths of parts; None for all.
    average : tuple of str
        Paths of the parts whose average is stored, direction by direction.
    units : KeptUnits, dict or None
        Those of each part, or by path of a part; None, or not listed, for all.
    """

    layers: tuple[str, ...] | None = None
    average: tuple[str, ...] = ()
    units: KeptUnits | Mapping[str, KeptUnits] | None = None

    def units_of(self, part: str) -> KeptUnits | None:
        """Return the units that are stored of a part; None for all."""
        return self.units.get(part) if isinstance(self.units, Mapping) else self.units


EVERYTHING = Kept()


class Average(NamedTuple):
    """The average of several layers in one direction.

    Parameters
    ----------
    sources : tuple of str
        Paths of the parts.
    direction : str
    name : str
        What it is called.
    sizes : Sizes
        Those of each part.
    """

    sources: tuple[str, ...]
    direction: Direction
    name: str
    sizes: Sizes


class StoredParts:
    """The parts of a network that are stored, described as a ``Network`` describes all of its own.

    Parameters
    ----------
    network : HasParts
    kept : Kept

    Attributes
    ----------
    averages : dict
        The averages by path.
    """

    def __init__(self, network: HasParts, kept: Kept = EVERYTHING) -> None:
        everything = list(network.parts())
        self._listed = [part for part in everything if kept.layers is None or part[0] in kept.layers]
        self._others = [part for part in everything if part not in self._listed]
        self.averages = dict(_averages([part for part in everything if part[0] in kept.average]))

    def parts(self) -> Iterator[tuple[str, Named, Direction, Sizes]]:
        """Yield (path, layer, direction, sizes) of each part with states of its own, the averages last."""
        yield from self._listed
        yield from ((path, average, average.direction, average.sizes) for path, average in self.averages.items())

    def others(self) -> Iterator[tuple[str, Named, Direction, Sizes]]:
        """Yield the parts that are computed, but of which at most final states are stored."""
        return iter(self._others)


def _averages(parts: list[tuple[str, Named, Direction, Sizes]]) -> Iterator[tuple[str, Average]]:
    directions = [direction for direction in DIRECTIONS if any(its == direction for _, _, its, _ in parts)]
    for direction in directions:
        sources = [(path, layer.name, sizes) for path, layer, its, sizes in parts if its == direction]
        paths, names, sizes = zip(*sources, strict=True)
        path = AVERAGE if len(directions) == 1 else f"{AVERAGE}/{direction}"
        yield path, Average(paths, direction, f"average of {', '.join(names)}", sizes[0])
