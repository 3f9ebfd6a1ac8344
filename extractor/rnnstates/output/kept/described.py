"""What is kept, as the provenance of a file says it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .parts import HasParts, Kept, group_name
from .steps import KeptSteps
from .units import KeptUnits

__all__ = ["Said", "described", "read"]


def described(kept: Kept, steps: KeptSteps, network: HasParts) -> dict[str, Any] | None:
    """Describe what is kept, in JSON types; None if it is everything.

    Parameters
    ----------
    kept : Kept
    steps : KeptSteps
    network : HasParts
        All of whose parts are listed, under ``computed``.

    Examples
    --------
    >>> from rnnstates.network.initialise import random_network
    >>> described(Kept(), KeptSteps(every=3), random_network(2, units=5))
    {'every': 3, 'computed': [{'group': '/', 'cell_type': 'lstm', 'direction': 'forward', 'units': 5}]}
    """
    said: dict[str, Any] = {}
    if kept.layers is not None:
        said["keep_layers"] = [group_name(part) for part in kept.layers]
    if isinstance(kept.units, Mapping):
        said["keep_units"] = {group_name(part): str(units) for part, units in kept.units.items()}
    elif kept.units is not None:
        said["keep_units"] = str(kept.units)
    said |= steps.named()
    if kept.average:
        said["layer_average"] = [group_name(part) for part in kept.average]
    computed = [
        {"group": group_name(part), "cell_type": weights.cell, "direction": direction, "units": weights.units}
        for part, _, direction, weights in network.parts()
    ]
    return {**said, "computed": computed} if said else None


class Said(NamedTuple):
    """What ``described`` describes; ``computed`` is None if everything is kept."""

    kept: Kept
    steps: KeptSteps
    computed: list[Mapping[str, Any]] | None


def read(said: "Mapping[str, Any] | None") -> Said:
    """Read what is kept from the provenance of a file, which anybody may have edited.

    Raises
    ------
    ValueError
        It is not what ``described`` gives.
    """
    if said is None:
        return Said(Kept(), KeptSteps(), None)
    try:
        layers, units = said.get("keep_layers"), said.get("keep_units")
        kept = Kept(
            None if layers is None else _paths(layers),
            _paths(said.get("layer_average", [])),
            None if units is None else _units(units),
        )
        every, last = (_positive(said.get(name)) for name in ("every", "last_steps"))
        return Said(kept, KeptSteps(every, last), [dict(part) for part in said["computed"]])
    except (KeyError, TypeError, AttributeError) as reason:
        raise ValueError(f"kept: {reason!r}") from reason


def _units(said: str | Mapping[str, str]) -> KeptUnits | dict[str, KeptUnits]:
    if isinstance(said, Mapping):
        return {group.strip("/"): KeptUnits.parse(units) for group, units in said.items()}
    return KeptUnits.parse(said)


def _paths(groups: Sequence[str]) -> tuple[str, ...]:
    return tuple(group.strip("/") for group in groups)


def _positive(steps: object) -> int | None:
    if steps is None:
        return None
    if type(steps) is not int or steps < 1:
        raise ValueError(f"{steps!r} steps")
    return steps
