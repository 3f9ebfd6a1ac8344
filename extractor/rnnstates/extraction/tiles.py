"""A tile in a sweep over time: carries states from piece to piece, pools them, and stores both in the tile's band."""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import numpy as np

from ..arrays.axes import Floats, Places, StepStates
from ..engines.base import States
from ..engines.stack import WHOLE, Initial
from ..errors import BadInput
from ..network.cells import DERIVED, carried, state_width
from ..network.pooling import Accumulator
from ..output.format import DatasetSpec
from .bands import Band
from .job import BandStarts, Job
from .windows import Piece

__all__ = ["Tile", "TileSweep"]

Start = Annotated[Floats, "B _"]


class Tile(NamedTuple):
    """Sequences that one thread runs together.

    Parameters
    ----------
    band : Band
        Where their states go.
    members : int64 [B]
        Their rows within the band, longest first.
    starts : mapping
        By part and name, the initial states [R, W] of the band's rows; zero for the others.
    """

    band: Band
    members: Places
    starts: BandStarts


class TileSweep:
    """What a tile carries in a sweep, whose name is ``name``; used by one thread at a time.

    Parameters
    ----------
    job : Job
    tile : Tile
    sweep : str
    """

    def __init__(self, job: Job, tile: Tile, sweep: str) -> None:
        self._job, self.tile, self.name = job, tile, sweep
        self._parts = {
            part: (direction, weights)
            for part, _, direction, weights in job.network.parts()
            if part in job.sweeps[sweep]
        }
        # What is stored of this sweep; the average of layers is there with them.
        self._stored = {
            part: (direction, weights)
            for part, _, direction, weights in (*job.stored.parts(), *job.stored.others())
            if self._sources(part)[0] in self._parts
        }
        lengths = job.shape.lengths[tile.band.rows][tile.members]
        self.carry = _starts(self._parts, tile.starts, tile.members, job.request.computing)
        self._starts = {part: dict(states) for part, states in self.carry.items()}
        self._pools = {
            spec.name: Accumulator(
                spec.pooling, lengths, self._width(spec), job.request.computing, self._stored[spec.part][0]
            )
            for spec in self._specs(pooled=True)
            if spec.pooling is not None
        }  # fmt: skip

    def state_before(self, piece: Piece) -> Initial:
        """Return the states [k, W] before a piece, by part and name."""
        live = len(piece.lengths)
        return {part: {name: values[:live] for name, values in states.items()} for part, states in self.carry.items()}

    def take(self, piece: Piece, results: Mapping[str, States]) -> None:
        """Store and pool the states of a piece, and keep its last states."""
        specs = self._specs(pooled=False) + self._specs(pooled=True)
        values = {
            (part, state): self._values(results, part, state)
            for part, state in dict.fromkeys((spec.part, spec.state) for spec in specs)
        }
        for spec in self._specs(pooled=False):
            self.tile.band.put_states(
                spec, self.tile.members[: len(piece.lengths)], values[spec.part, spec.state],
                lengths=piece.lengths, before=piece.before,
            )  # fmt: skip
        for spec in self._specs(pooled=True):
            self._pools[spec.name].add(values[spec.part, spec.state], piece.lengths)
        if self.name != WHOLE:
            self._hand_on(piece, results)

    def finish(self) -> None:
        """Store the pooled vectors."""
        for spec in self._specs(pooled=True):
            start = self._starts.get(spec.part, {}).get(spec.state)
            vectors = self._pools[spec.name].result(start)
            kept = vectors if spec.columns is None else vectors[:, spec.columns]
            self.tile.band.put_pooled(spec, self.tile.members, kept)

    def _sources(self, part: str) -> tuple[str, ...]:
        averages = self._job.stored.averages
        return averages[part].sources if part in averages else (part,)

    def _values(self, results: Mapping[str, States], part: str, state: str) -> StepStates:
        """Return a state of a part; of an average, the mean of its layers, summed in float64."""
        sources = [_state(results[source], state) for source in self._sources(part)]
        if len(sources) == 1:
            return sources[0]
        total = np.zeros(sources[0].shape, np.float64)
        for values in sources:
            np.add(total, values, out=total)
        return (total / len(sources)).astype(sources[0].dtype)

    def _width(self, spec: DatasetSpec) -> int:
        return state_width(self._stored[spec.part][1], spec.state)

    def _specs(self, *, pooled: bool) -> list[DatasetSpec]:
        return [spec for spec in self._job.specs if spec.part in self._stored and (spec.pooling is not None) == pooled]

    def _hand_on(self, piece: Piece, results: Mapping[str, States]) -> None:
        live = np.arange(len(piece.lengths))
        for part, (direction, weights) in self._parts.items():
            ends = piece.lengths - 1 if direction == "forward" else np.zeros_like(piece.lengths)
            for name in carried(weights):
                values = results[part][name]
                carry = self.carry[part].get(name)
                if carry is None:
                    shape = (len(self.tile.members), state_width(weights, name))
                    carry = self.carry[part][name] = np.zeros(shape, values.dtype)
                elif carry is self._starts[part].get(name):
                    carry = self.carry[part][name] = carry.copy()
                carry[: len(live)] = values[live, ends]


def _state(states: States, name: str) -> StepStates:
    if name not in DERIVED:
        return states[name]
    return np.concatenate([states[part] for part in DERIVED[name] if part in states], axis=-1)


def _starts(
    parts: Mapping[str, object],
    given: BandStarts,
    members: Places,
    computing: "np.dtype[np.generic]",
) -> dict[str, dict[str, Start]]:
    """Return the initial states of each part, [B, W]: those of the run, else those trained with its weights."""
    starts: dict[str, dict[str, Start]] = {}
    for part in parts:
        with np.errstate(over="ignore"):
            starts[part] = {
                name: np.ascontiguousarray(values[members], computing) for name, values in given.get(part, {}).items()
            }
        for name, values in starts[part].items():
            if not np.isfinite(values).all():
                raise BadInput(f"initial state '{name}': is too large for {computing}; use precision=\"float64\".")
    return starts
