"""Chooses the network of a run: a Network as given, one loaded from a file, or a random one."""

from collections.abc import Mapping
from typing import Any

from ..errors import OptionError
from ..inputs.base import Source
from ..network.initialise import random_network
from ..network.model import Network
from ..weights.options import ZERO
from .agreement import Notes
from .request import Options

__all__ = ["DEFAULT_UNITS", "choose_network", "make_random"]

DEFAULT_UNITS = 64


def choose_network(options: Options) -> Network | None:
    """Load the given weights; None for random ones, whose width is that of the input.

    Raises
    ------
    OptionError
        Options for a weights file are combined with options for random weights.
    MissingInput, BadWeights
    """
    how = options.of_weights()
    if options.weights is None:
        _refuse(how | {"forget_bias": None}, "applies only to a weights file; pass weights=")
        return None
    random = {"units": options.units, "seed": options.seed}
    _refuse(random, "applies only to random weights, but weights= gives trained ones; leave one out")
    if isinstance(options.weights, Network):
        _refuse(how, "applies to reading a weights file, but a Network was given; pass it to load_weights")
        return options.weights.from_zero() if options.starts_at_zero else options.weights
    # Imported here, so that a run with random weights imports no reader.
    from ..weights.load import load_weights

    return load_weights(options.weights, **how, initial_state=ZERO if options.starts_at_zero else None)


def make_random(options: Options, source: Source, notes: Notes) -> Network:
    """Make a random network of the input's width."""
    units = DEFAULT_UNITS if options.units is None else options.units
    seed = options.seed or 0
    notes.say(f"no weights given: a random LSTM of {units} units, seed {seed}; weights=FILE uses trained ones.")
    return random_network(source.shape[2], units=units, seed=seed, forget_bias=options.forget_bias)


def _refuse(options: Mapping[str, Any], why: str) -> None:
    """Refuse the first option that was given."""
    for name, value in options.items():
        if value is not None:
            raise OptionError(f"{name}={value!r}: {why}.")
