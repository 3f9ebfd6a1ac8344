"""What the names in a file mean, a module or folder for each framework; ``INTERPRETERS`` names them.

Each has two functions: ``recognises(container)`` tells by the names of the arrays whether the framework wrote them,
``interpret(container)`` makes a ``Model`` of them. The first that recognises a container interprets it. A module is
imported for containers that have its mark.
"""

import unicodedata
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from ...errors import BadWeights
from ..readers import Container
from ..stack import Model

__all__ = ["INTERPRETERS", "Interpreter", "interpret", "interpret_with", "is_known"]

# Marks that embed, override or isolate a direction (Unicode Standard Annex #9).
_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}

Mark = Callable[[Container], bool]


class Interpreter(NamedTuple):
    """One framework.

    Parameters
    ----------
    module : str
        Beside this one.
    mark : callable
        Whether a container may be of this framework, at a glance; ``recognises`` has the last word.
    """

    module: str
    mark: Mark

    def recognises(self, container: Container) -> bool:
        """Tell whether the framework wrote a container."""
        return self.mark(container) and bool(_module(self.module).recognises(container))

    def interpret(self, container: Container, *arguments: Any, **options: Any) -> Model:
        """Make a model of it."""
        model: Model = _module(self.module).interpret(container, *arguments, **options)
        return model


def _module(name: str) -> Any:
    return import_module(f".{name}", __package__)


def _has(*words: str) -> Mark:
    """Ask for one of some words in the name of an array."""
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

# Names that several libraries use, which need a convention.
PLAIN = Interpreter("plain", _has("recurrent_kernel"))
NEAR_NAMES = Interpreter("near_names", lambda _container: True)


def _fits_tensorflow1(container: Container) -> bool:
    """Tell whether variables under names of their own may be those of a cell of TensorFlow 1."""
    return _TENSORFLOW1(container) and bool(_module("tensorflow1").fits(container))


def is_known(container: Container) -> bool:
    """Tell whether a container holds weights that are known here, by their names or as what a convention may be for."""
    known = (*INTERPRETERS.values(), PLAIN, NEAR_NAMES)
    return any(each.recognises(container) for each in known) or _fits_tensorflow1(container)


def _check_names(container: Container) -> None:
    """Refuse names that cannot be printed, or that would do something to a terminal."""
    for name in container.tensors:
        if any(map(_is_unprintable, name)):
            raise BadWeights(
                f"{container.path}: has an array called {ascii(name)[:200]}; expected letters that can be printed."
            )


def _is_unprintable(letter: str) -> bool:
    """Tell what controls a terminal, ends a line, or turns the direction in which the rest of it reads."""
    turns = unicodedata.bidirectional(letter) in _TURNS
    return turns or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def interpret(container: Container, convention: str | None = None) -> Model:
    """Make out the layers of a container.

    Parameters
    ----------
    container : Container
    convention : str or None
        What plain names mean, a name in ``CONVENTIONS``; names that a framework gave need none.

    Raises
    ------
    BadWeights
        The names are of no framework known here, or contradict themselves.
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
        "rename its arrays so."
        f"{_module('tensorflow1').hint(container)}"
    )


def interpret_with(container: Container, config: Mapping[str, Any], where: str) -> Model:
    """Make out the layers of a container by a configuration that lies beside it; see ``keras.interpret_with``.

    Raises
    ------
    OptionError, BadWeights
    """
    _check_names(container)
    model: Model = _module("keras").interpret_with(container, config, where)
    return model
