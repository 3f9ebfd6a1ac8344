"""Loads, or draws again from the seed, the network that a states file was made with."""

import os
from collections.abc import Mapping
from typing import Any

from ..errors import BadStates, BadWeights, EngineUnavailable, MissingInput
from ..network.initialise import random_network
from ..network.model import Network
from ..output.states import States
from ..weights.load import load_weights
from ..weights.objects import WHERE, is_path
from ..weights.readers import digest, reader_of
from .finding_input import Given, NotFound, is_readable, places
from .promised import Part, Promise

__all__ = ["find_network"]


def find_network(states: States, promise: Promise, path: str, given: Given, notes: list[str]) -> Network:
    """Load the weights, or draw random ones again.

    Parameters
    ----------
    states : States
    promise : Promise
        Whose parts the network must have.
    path : str
        Of the states file.
    given : Given
    notes : list of str
        Receives what the user should know.

    Raises
    ------
    NotFound
        The weights are not at the recorded path, or their reader is not installed.
    BadWeights
        They have changed (the message gives both digests), or are those of a different network.
    MissingInput
        The given weights do not exist.
    """
    network = _network(states.provenance["weights"], path, given, notes)
    parts = tuple(
        Part(name, weights.cell, direction, weights.units, weights.width)
        for name, _, direction, weights in network.parts()
    )
    if parts != promise.parts:
        called = given.weights if is_path(given.weights) else WHERE
        raise BadWeights(
            f"{called}: are {_listed(parts)}; expected {_listed(promise.parts)}, which {path} was made with. Give "
            "those weights, and layer=NAME where they have several stacks."
        )
    return network


def _network(recorded: Mapping[str, Any], path: str, given: Given, notes: list[str]) -> Network:
    if isinstance(given.weights, Network):
        return given.weights
    if given.weights is not None:
        return _given(given.weights, recorded, given.options, notes, path=path)
    if "random" in recorded:
        return _random(recorded["random"], path)
    if "file" not in recorded or (recorded["file"] == WHERE and not _is_there(WHERE)):
        raise NotFound("the weights were arrays in memory; give them with weights=FILE")
    options = {**recorded.get("options", {}), **given.options}
    if "config" in recorded.get("options", {}) and "config" not in given.options:
        options["config"] = _located_config(recorded, path)
    try:
        return load_weights(_located(recorded, path), **options)
    except EngineUnavailable as reason:
        raise NotFound(f"the weights cannot be read here: {reason}") from reason


def _random(recorded: Mapping[str, Any], path: str) -> Network:
    try:
        return random_network(**recorded)
    except TypeError as reason:
        raise BadStates(
            f"{path}: its provenance gives {dict(recorded)} for the random weights; expected features, units, seed and "
            "forget_bias. It was edited; give the weights with weights=FILE."
        ) from reason


def _located(recorded: Mapping[str, Any], path: str) -> str:
    changed: list[str] = []
    for place in filter(_is_there, places(recorded["file"], path)):
        found = digest(place)
        if found == recorded["sha256"]:
            return place
        changed.append(f"{place}: are not the weights that {path} was made with: SHA-256 is {found}")
    if changed:
        raise BadWeights(
            f"{changed[0]}, was {recorded['sha256']}. Give the originals with weights=FILE, or extract again."
        )
    raise NotFound(f"the weights {recorded['file']} are not there; give them with weights=FILE")


def _located_config(recorded: Mapping[str, Any], path: str) -> str:
    """Find the configuration that was read with the weights, by its name and its digest."""
    name, expected = recorded["options"]["config"], recorded.get("config_sha256")
    there = [place for place in places(str(name), path) if is_readable(place)]
    found = {place: digest(place) for place in there}
    for place, value in found.items():
        if value == expected:
            return place
    if found:
        place, value = next(iter(found.items()))
        raise BadWeights(
            f"{place}: is not the configuration that {path} was made with: SHA-256 is {value}, was {expected}. Give "
            "the original with config=FILE, or extract again."
        )
    raise NotFound(f"the configuration {name} is not there; give it with config=FILE")


def _is_there(place: str) -> bool:
    """Return whether a path exists as a file or as weights in several files that a reader knows."""
    try:
        return reader_of(place) is not None or is_readable(place)
    except MissingInput:
        return False


def _given(
    weights: Any, recorded: Mapping[str, Any], options: Mapping[str, Any], notes: list[str], *, path: str
) -> Network:
    """Load the given weights; the recorded options apply to the same file only."""
    if not is_path(weights):
        known = recorded.get("options", {}) if recorded.get("file") == WHERE else {}
        network = load_weights(weights, **{**known, **options})
        if network.origin["sha256"] != recorded.get("sha256"):
            notes.append("weights: are not known to be those that the states were made with; compared anyway.")
        return network
    where = os.fspath(weights)
    reader_of(where)
    if digest(where) == recorded.get("sha256"):
        known = dict(recorded.get("options", {}))
        if "config" in known and "config" not in options:
            known["config"] = _located_config(recorded, path)
        return load_weights(where, **{**known, **options})
    notes.append(f"{where}: is not the file that the states were made with; compared anyway.")
    return load_weights(where, **options)


def _listed(parts: tuple[Part, ...]) -> str:
    sizes = (f"{part.units} units" if part.units == part.width else f"{part.units} -> {part.width}" for part in parts)
    return ", ".join(
        f"{part.path or '/'} {part.direction} {part.cell} {size}" for part, size in zip(parts, sizes, strict=True)
    )
