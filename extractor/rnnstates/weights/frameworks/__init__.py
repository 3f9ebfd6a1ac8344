"""What the names in a file mean, a module or folder for each framework; ``INTERPRETERS`` names them.

Each has two functions: ``recognises(container)`` tells by the names of the arrays whether the framework wrote them,
``interpret(container)`` makes a ``Model`` of them. The first that recognises a container interprets it.
"""

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import BadWeights
from ..readers import Container
from ..stack import Model
from . import (
    audio_json,
    elmo,
    equinox,
    flax,
    haiku,
    keras,
    near_names,
    onnx,
    plain,
    tensorflow1,
    tensorflow2,
    torch,
    unirep,
)

__all__ = ["INTERPRETERS", "interpret", "interpret_with", "is_known"]

# Marks that embed, override or isolate a direction (Unicode Standard Annex #9).
_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}

Interpreter = tuple[Callable[[Container], bool], Callable[[Container], Model]]

INTERPRETERS: dict[str, Interpreter] = {
    "elmo": (elmo.recognises, elmo.interpret),
    "unirep": (unirep.recognises, unirep.interpret),
    "audio": (audio_json.recognises, audio_json.interpret),
    "onnx": (onnx.recognises, onnx.interpret),
    "keras": (keras.is_keras, keras.interpret),
    "flax": (flax.recognises, flax.interpret),
    "haiku": (haiku.recognises, haiku.interpret),
    "equinox": (equinox.recognises, equinox.interpret),
    "torch": (torch.recognises, torch.interpret),
    "tensorflow2": (tensorflow2.recognises, tensorflow2.interpret),
    "tensorflow1": (tensorflow1.recognises, tensorflow1.interpret),
}


def is_known(container: Container) -> bool:
    """Tell whether a container holds weights that are known here, by their names or as what a convention may be for."""
    known = [recognises for recognises, _ in INTERPRETERS.values()]
    known += [plain.recognises, near_names.recognises, tensorflow1.fits]
    return any(recognises(container) for recognises in known)


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
    for recognises, read in INTERPRETERS.values():
        if recognises(container):
            by_shape = read is tensorflow1.interpret and convention == "tensorflow1"
            return tensorflow1.interpret(container, by_shape=True) if by_shape else read(container)
    if plain.recognises(container):
        return plain.interpret(container, convention)
    if convention == "tensorflow1" and tensorflow1.fits(container):
        return tensorflow1.interpret(container, by_shape=True)
    if near_names.recognises(container):
        return near_names.interpret(container, convention)
    some = ", ".join(f"'{name}'" for name in list(container.tensors)[:8]) or "no arrays"
    raise BadWeights(
        f"{container.path}: no recurrent layer found; the {container.kind} holds {some}. Expected the names that a "
        "framework gives to LSTM, GRU or RNN weights, or kernel, recurrent_kernel and bias. Give another file, or "
        "rename its arrays so."
        f"{tensorflow1.hint(container)}"
    )


def interpret_with(container: Container, config: Mapping[str, Any], where: str) -> Model:
    """Make out the layers of a container by a configuration that lies beside it; see ``keras.interpret_with``.

    Raises
    ------
    OptionError, BadWeights
    """
    _check_names(container)
    return keras.interpret_with(container, config, where)
