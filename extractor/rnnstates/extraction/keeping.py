"""Checks what is to be kept: layers, units, steps and averages, first each on its own, then with the network."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import OptionError
from ..network.cells import Sizes, made_of, state_width
from ..network.model import Direction
from ..output.format import DatasetSpec
from ..output.kept.parts import AVERAGE, HasParts, Kept, Named, StoredParts, group_name
from ..output.kept.steps import ALL_STEPS, KeptSteps
from ..output.kept.units import KeptUnits
from .words import split

__all__ = ["Keeping", "check_units", "kept_of", "layers_named", "steps_kept", "units_by_part", "units_kept"]

ALL, TOP = "all", "top"
Part = tuple[str, Named, Direction, Sizes]
# Text such as ``0:10,17``, or numbers.
Units = str | Iterable[int]
LIKE = "expected something like 0:10,17."


@dataclass(frozen=True)
class Keeping:
    """What is to be kept, as given: the names of layers still mean nothing.

    Parameters
    ----------
    layers : tuple of str or None
        None for all.
    average : tuple of str
    units : KeptUnits, dict or None
        Those of each layer, or by name of a layer.
    steps : KeptSteps
    """

    layers: tuple[str, ...] | None = None
    average: tuple[str, ...] = ()
    units: KeptUnits | Mapping[str, KeptUnits] | None = None
    steps: KeptSteps = ALL_STEPS


def layers_named(given: "str | Sequence[str] | None") -> tuple[str, ...] | None:
    """Return the names of ``keep_layers``, none of them for ``none``; None for all."""
    return None if given is None else tuple(dict.fromkeys(split(given)))


def units_kept(given: "Units | Mapping[str, Units] | None") -> KeptUnits | dict[str, KeptUnits] | None:
    """Return the units of ``keep_units``: text such as ``0:10,17``, numbers, or a range; of all layers, or by layer.

    Raises
    ------
    OptionError
    """
    if given is None or not isinstance(given, Mapping):
        return None if given is None else _units(given)
    if not given:
        raise OptionError(f"keep_units=: names no layer; {LIKE}")
    return {layer: _units(units) for layer, units in given.items()}


def _units(given: Units) -> KeptUnits:
    text = given if isinstance(given, str) else ",".join(str(int(unit)) for unit in given)
    try:
        kept = KeptUnits.parse(text)
    except ValueError as reason:
        raise OptionError(f"keep_units={str(reason)!r}: no unit and no range of them; {LIKE}") from reason
    if not kept.ranges:
        raise OptionError(f"keep_units=: names no unit; {LIKE}")
    return kept


def steps_kept(every: int | None, last: int | None) -> KeptSteps:
    """Return the steps of ``every`` and ``last_steps``.

    Raises
    ------
    OptionError
        One is not positive, or both are given.
    """
    for name, steps in (("every", every), ("last_steps", last)):
        if steps is not None and steps < 1:
            raise OptionError(f"{name}={steps}: expected at least 1.")
    if every is not None and last is not None:
        raise OptionError(f"every={every}, last_steps={last}: are two choices of steps; expected one of them.")
    return KeptSteps(every, last)


def kept_of(network: HasParts, keeping: Keeping) -> Kept:
    """Find the layers in the network.

    Raises
    ------
    OptionError
        A layer is unknown, or layers to average differ.
    """
    parts = list(network.parts())
    layers = None if keeping.layers is None else _found("keep_layers", keeping.layers, parts)
    average = _found("layer_average", keeping.average, parts)
    _check_average([part for part in parts if part[0] in average])
    if layers == () and not average:
        raise OptionError("keep_layers=None: keeps no layer; expected top, names, or a layer_average beside it.")
    kept = Kept(layers, average)
    return replace(kept, units=units_by_part(StoredParts(network, kept), keeping.units))


def units_by_part(
    network: HasParts, units: KeptUnits | Mapping[str, KeptUnits] | None
) -> KeptUnits | dict[str, KeptUnits] | None:
    """Find the layers whose units are chosen, among those that are stored.

    Raises
    ------
    OptionError
        A layer is unknown, or named twice.
    """
    if not isinstance(units, Mapping):
        return units
    # The last one is the top.
    parts = sorted(network.parts(), key=lambda part: part[0].partition("/")[0] != AVERAGE)
    found: dict[str, KeptUnits] = {}
    for layer, chosen in units.items():
        for path in _paths("keep_units", layer, parts):
            if path in found:
                raise OptionError(f"keep_units={layer!r}: names '{group_name(path)}' a second time; expected it once.")
            found[path] = chosen
    return found


def _found(option: str, names: Iterable[str], parts: list[Part]) -> tuple[str, ...]:
    """Return the paths of the parts that are named, in the order of the network."""
    found = [path for name in names for path in _paths(option, name, parts)]
    return tuple(path for path, *_ in parts if path in found)


def _paths(option: str, name: str, parts: list[Part]) -> list[str]:
    by_group = [path for path, *_ in parts if group_name(path) == name or path.startswith(f"{name}/")]
    layers = dict.fromkeys(path.partition("/")[0] for path, layer, *_ in parts if layer.name == name)
    by_name = [path for path, *_ in parts if path.partition("/")[0] in layers]
    if name in (ALL, TOP) and not by_name:
        top = parts[-1][0].partition("/")[0]
        return [path for path, *_ in parts if name == ALL or path.partition("/")[0] == top]
    if not by_group and len(layers) != 1:
        why = f"names {len(layers)} layers" if layers else "no layer has this name"
        known = ", ".join(f"{group_name(path)} ('{layer.name}')" for path, layer, *_ in parts)
        raise OptionError(f"{option}={name!r}: {why}; expected {TOP if option != 'layer_average' else ALL} or "
                          f"some of {known}.")  # fmt: skip
    return by_group or by_name


def _check_average(parts: list[Part]) -> None:
    if not parts:
        return
    by_layer: dict[str, list[Part]] = {}
    for part in parts:
        by_layer.setdefault(part[0].partition("/")[0], []).append(part)
    first, *others = by_layer.values()
    if not others:
        raise OptionError(f"layer_average={first[0][1].name!r}: is one layer; expected two or more.")
    for other in others:
        if (found := _sizes(other)) != (expected := _sizes(first)):
            raise OptionError(
                f"layer_average=: layer '{other[0][1].name}' is {found}, but layer '{first[0][1].name}' is {expected}; "
                "only layers of the same kind and width have an average."
            )


def _sizes(layer: list[Part]) -> str:
    sizes = ((direction, weights.cell, weights.units, weights.width) for _, _, direction, weights in layer)
    return " and ".join(
        f"{direction} {cell} of {units if width == units else f'{units} -> {width}'}"
        for direction, cell, units, width in sizes
    )


def check_units(kept: Kept, network: HasParts, specs: Iterable[DatasetSpec]) -> None:
    """Refuse units that a stored state does not have.

    Raises
    ------
    OptionError
    """
    sizes = {path: weights for path, _, _, weights in StoredParts(network, kept).parts()}
    for spec in specs:
        units = kept.units_of(spec.part)
        if units is None or spec.columns is None:
            continue
        width = min(state_width(sizes[spec.part], state) for state in made_of(sizes[spec.part], spec.state))
        if units.most >= width:
            raise OptionError(f"keep_units='{units}': '{spec.name}' has {width} units, 0 to {width - 1}.")
