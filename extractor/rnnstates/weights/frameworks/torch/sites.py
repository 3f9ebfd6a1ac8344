"""Finds the arrays that stand for a weight of a PyTorch module, and the module that they belong to.

A wrapper stores them next to the module's own parameters (``rnn.weight_hh_l0_g``,
``rnn.parametrizations.weight_hh_l0.original0``) or above them (``rnn.weight_hh_l0_raw`` and
``rnn.module.weight_ih_l0``).
"""

import bisect
import itertools
import re
from collections.abc import Iterable
from typing import NamedTuple

from ...readers import Container, Tensor
from .formulas import FORMULAS

__all__ = ["Sites", "Source", "layer_of", "sources_of"]

_PARAMETER = r"(?:weight|bias)_(?:ih|hh|hr)(?:_l\d{1,4}(?:_reverse)?)?"
_PLAIN = re.compile(rf"^(.*?)({_PARAMETER})$")
# Before the parameter or after it; the rest says what is done.
_PARAMETRISED = re.compile(rf"^(.*?)parametrizations\.({_PARAMETER})\.(.+)$")
_SUFFIXED = re.compile(rf"^(.*?)({_PARAMETER})_(.+)$")
# The part before the layer in a parameter's name.
_LAYER = re.compile(r"^[a-z]+_[a-z]{2}")
# The parts by which a wrapper is detected if no module is near.
_KNOWN = frozenset().union(*FORMULAS)
# Most modules below one wrapper that are considered; with more than one its owner is unclear.
MOST_SITES = 100


class Source(NamedTuple):
    """The arrays that stand for one parameter.

    Parameters
    ----------
    prefix : str
        The prefix of the wrapper.
    parameter : str
        The plain name, e.g. ``weight_hh_l0``.
    parts : dict
        The arrays by what follows the plain name, e.g. ``raw``.
    names : list of str
        Their names in the file.
    """

    prefix: str
    parameter: str
    parts: dict[str, Tensor]
    names: list[str]

    @property
    def known(self) -> bool:
        """Whether there is a formula for them."""
        return frozenset(self.parts) in FORMULAS


def sources_of(container: Container) -> list[Source]:
    """Collect the arrays that stand for parameters."""
    found: dict[tuple[str, str, bool], dict[str, str]] = {}
    for name in container.tensors:
        if _PLAIN.match(name):
            continue
        for pattern in (_PARAMETRISED, _SUFFIXED):
            if match := pattern.match(name):
                found.setdefault((match[1], match[2], pattern is _SUFFIXED), {})[match[3]] = name
                break
    return [
        Source(*key[:2], {part: container.tensors[name] for part, name in parts.items()}, list(parts.values()))
        for key, parts in found.items()
    ]


class Sites:
    """Finds the module that a wrapper belongs to, by the plain names of parameters.

    Parameters
    ----------
    container : Container
    sources : iterable of Source
    """

    def __init__(self, container: Container, sources: Iterable[Source]) -> None:
        self._tensors = container.tensors
        plain = [match for name in container.tensors if (match := _PLAIN.match(name))]
        # A cell's names have no layer number.
        self._known = {(match[1], _numbered(match[2])) for match in plain}
        by_layer: dict[str, set[str]] = {}
        for match in plain:
            by_layer.setdefault(layer_of(match[2]), set()).add(match[1])
        self._by_layer = {layer: sorted(prefixes) for layer, prefixes in by_layer.items()}
        matrices: dict[str, set[str]] = {}
        for source in sources:
            matrices.setdefault(source.prefix, set()).add(source.parameter[: len("weight_ih")])
        self._whole = {prefix for prefix, found in matrices.items() if {"weight_ih", "weight_hh"} <= found}

    def homes(self, source: Source) -> list[str]:
        """Find the module that a wrapper changes, at its own place or below; several if it is unclear."""
        if (source.prefix, _numbered(source.parameter)) in self._known:
            return [source.prefix]
        below = self._below(source)
        lacking = [site for site in below if site + source.parameter not in self._tensors]
        lacking = lacking if len(below) < MOST_SITES else []
        # WeightDrop's name for the module that it wraps.
        for clear in ([site for site in below if site == f"{source.prefix}module."], lacking, below):
            if len(clear) == 1:
                return clear
        if below:
            return below if source.known else []
        # Programs keep anything under the flattened name of a weight: its importance, its average.
        is_module = source.known or not source.prefix or source.prefix.endswith(".")
        return [source.prefix] if is_module and source.prefix in self._whole else self._elsewhere(source)

    def _below(self, source: Source) -> list[str]:
        if source.prefix and not source.prefix.endswith("."):
            return []
        sites = self._by_layer.get(layer_of(source.parameter), [])
        start = bisect.bisect_left(sites, source.prefix)
        below = sites[start : start + MOST_SITES]
        return list(itertools.takewhile(lambda site: site.startswith(source.prefix), below))

    def _elsewhere(self, source: Source) -> list[str]:
        """Give a wrapper without a module its own stack, next to the modules that it may have wrapped."""
        if not _KNOWN & source.parts.keys():
            return []
        shapes = {tensor.shape for tensor in source.parts.values()}
        sites = self._by_layer.get(layer_of(source.parameter), [])[:MOST_SITES] if source.known else []
        copies = [site for site in sites if self._shape(site + source.parameter) in shapes]
        return [source.prefix, *copies]

    def _shape(self, name: str) -> tuple[int, ...] | None:
        return self._tensors[name].shape if name in self._tensors else None


def _numbered(parameter: str) -> bool:
    return "_l" in parameter


def layer_of(parameter: str) -> str:
    """Return the layer and direction at the end of a parameter's name: ``_l0_reverse``; empty for a cell's."""
    return _LAYER.sub("", parameter)
