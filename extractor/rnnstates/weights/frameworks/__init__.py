"""Turns the named arrays of a file into layers: one module or folder per framework, listed in ``INTERPRETERS``.

Each has two functions: ``recognises(container)`` detects from the names of the arrays whether the framework wrote them,
``interpret(container)`` turns them into a ``Model``. The first one that recognises a container interprets it. A module
is imported only for containers that have its mark.
"""

import unicodedata
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from ...errors import BadWeights
from ..readers import Container
from ..stack import Model

__all__ = ["INTERPRETERS", "Interpreter", "interpret", "interpret_with", "is_known"]

# Characters that embed, override or isolate a text direction (Unicode Standard Annex #9).
_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}

Mark = Callable[[Container], bool]


class Interpreter(NamedTuple):
    """One framework.

    Parameters
    ----------
    module : str
        Its name in this package.
    mark : callable
        A cheap test whether a container may be of this framework; ``recognises`` has the last word.
    """

    module: str
    mark: Mark

    def recognises(self, container: Container) -> bool:
        """Return whether the framework wrote a container."""
        return self.mark(container) and bool(_module(self.module).recognises(container))

    def interpret(self, container: Container, *arguments: Any, **options: Any) -> Model:
        """Turn a container into a model."""
        model: Model = _module(self.module).interpret(container, *arguments, **options)
        return model


def _module(name: str) -> Any:
    return import_module(f".{name}", __package__)


def _has(*words: str) -> Mark:
    """Look for any of some words in the names of arrays."""
    return lambda container: any(word in name for name in container.tensors for word in words)


def _is_keras(container: Container) -> bool:
    """Look for a configuration, for Keras 3's numbered arrays, or for the lists of layers in the legacy layout."""
    attributes = {*container.attributes(""), *container.attributes("model_weights")}
    return (
        "config.json" in container.documents
        or bool({"layer_names", "layer_names0"} & attributes)
        or _NUMBERED(container)
    )


_NUMBERED = _has("vars")
_TENSORFLOW1 = _has("kernel", "weights", "Matrix", "W", "w_ru", "w_f_diag")

INTERPRETERS: dict[str, Interpreter] = {
    "elmo": Interpreter("elmo", _has("RNN_")),
    "unirep": Interpreter("unirep", _has("wmh")),
    "audio": Interpreter("audio_json", lambda container: container.kind == "JSON"),
    "onnx": Interpreter("onnx", lambda container: "graph" in container.documents),
    "keras": Interpreter("keras", _is_keras),
    "flax": Interpreter("flax", _has("kernel", "bias")),
    "haiku": Interpreter("haiku", _has("linear", "w_i", "input_to_hidden")),
    "equinox": Interpreter("equinox", _has("weight_hh")),
    "torch": Interpreter("torch", _has("weight_hh", "_packed_params")),
    "tensorflow2": Interpreter("tensorflow2", _has("/.ATTRIBUTES/")),
    "tensorflow1": Interpreter(
        "tensorflow1", lambda container: container.kind.startswith("TensorFlow") or _TENSORFLOW1(container)
    ),
}

# Names used by several libraries, which need a convention.
PLAIN = Interpreter("plain", _has("recurrent_kernel"))
NEAR_NAMES = Interpreter("near_names", lambda _container: True)


def _fits_tensorflow1(container: Container) -> bool:
    """Return whether variables with custom names may belong to a cell of TensorFlow 1."""
    return _TENSORFLOW1(container) and bool(_module("tensorflow1").fits(container))


def is_known(container: Container) -> bool:
    """Return whether a container holds weights that are known by their names or that a convention may explain."""
    known = (*INTERPRETERS.values(), PLAIN, NEAR_NAMES)
    return any(each.recognises(container) for each in known) or _fits_tensorflow1(container)


def _check_names(container: Container) -> None:
    """Refuse names that cannot be printed, or that would control a terminal."""
    for name in container.tensors:
        if any(map(_is_unprintable, name)):
            raise BadWeights(
                f"{container.path}: has an array called {ascii(name)[:200]}; expected printable characters."
            )


def _is_unprintable(letter: str) -> bool:
    """Return whether a character controls a terminal, ends a line or changes the direction of the text after it."""
    turns = unicodedata.bidirectional(letter) in _TURNS
    return turns or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def interpret(container: Container, convention: str | None = None) -> Model:
    """Identify the layers of a container.

    Parameters
    ----------
    container : Container
    convention : str or None
        A name in ``CONVENTIONS``: what plain names mean. Names that a framework gave need none.

    Raises
    ------
    BadWeights
        The names belong to no known framework, or contradict each other.
    """
    _check_names(container)
    tensorflow1 = INTERPRETERS["tensorflow1"]
    for known in INTERPRETERS.values():
        if known.recognises(container):
            by_shape = known is tensorflow1 and convention == "tensorflow1"
            return known.interpret(container, by_shape=True) if by_shape else known.interpret(container)
    if PLAIN.recognises(container):
        return PLAIN.interpret(container, convention)
    if convention == "tensorflow1" and _fits_tensorflow1(container):
        return tensorflow1.interpret(container, by_shape=True)
    if NEAR_NAMES.recognises(container):
        return NEAR_NAMES.interpret(container, convention)
    some = ", ".join(f"'{name}'" for name in list(container.tensors)[:8]) or "no arrays"
    raise BadWeights(
        f"{container.path}: no recurrent layer found; the {container.kind} holds {some}. Expected the names that a "
        "framework gives to LSTM, GRU or RNN weights, or kernel, recurrent_kernel and bias. Give another file, or "
        "rename its arrays accordingly."
        f"{_module('tensorflow1').hint(container)}"
    )


def interpret_with(container: Container, config: Mapping[str, Any], where: str) -> Model:
    """Identify the layers of a container by a separate configuration; see ``keras.interpret_with``.

    Raises
    ------
    OptionError, BadWeights
    """
    _check_names(container)
    model: Model = _module("keras").interpret_with(container, config, where)
    return model
