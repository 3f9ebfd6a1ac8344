"""Resolves an activation's name by the file's origin: one name may stand for several functions.

``hard_sigmoid`` was clip(x / 5 + 1 / 2) until Keras 2, and is so in TensorFlow 1 and ONNX; in Keras 3, PyTorch and JAX
it is relu6(x + 3) / 6. The slope of ``leaky_relu`` is 0.2 in TensorFlow and Keras, 0.01 in PyTorch, JAX and ONNX.

References
----------
``tensorflow/python/keras/backend.py: hard_sigmoid``, ``keras/src/backend/tensorflow/nn.py: hard_sigmoid``,
``torch.nn.functional: hardsigmoid, leaky_relu``, ``jax/_src/nn/functions.py``, ``onnx.defs: HardSigmoid, LeakyRelu``.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ..errors import OptionError
from ..network.activations import OTHER_NAMES
from .options import WeightOptions
from .stack import StoredStack

__all__ = ["KERAS_2", "KERAS_3", "UNKNOWN_KERAS", "keras_generation", "meant"]

KERAS_2, KERAS_3 = "Keras 2", "Keras 3"
# Keras 2 or 3: the file does not say which one wrote it.
UNKNOWN_KERAS = "Keras of an unknown version"


class Meaning(NamedTuple):
    """Our name of a function, and its formula for notes."""

    name: str
    formula: str


_FIFTH = {"hard_sigmoid": Meaning("hard_sigmoid_fifth", "clip(x / 5 + 1 / 2)")}
_SIXTH = {"hard_sigmoid": Meaning("hard_sigmoid", "relu6(x + 3) / 6")}
_STEEP = {"leaky_relu": Meaning("leaky_relu", "max(x, 0.2 * x)")}
_FLAT = {"leaky_relu": Meaning("leaky_relu(0.01)", "max(x, 0.01 * x)")}

# Names that are ambiguous, by the origin of the file.
MEANINGS: dict[str, Mapping[str, Meaning]] = {
    KERAS_2: {**_FIFTH, **_STEEP},
    KERAS_3: {**_SIXTH, **_STEEP},
    "TensorFlow 1": {**_FIFTH, **_STEEP},
    "PyTorch": {**_SIXTH, **_FLAT},
    "JAX": {**_SIXTH, **_FLAT},
    "ONNX": {**_FIFTH, **_FLAT},
}

# The origin of names, by the framework of a convention; arrays with plain names do not reveal the generation of Keras.
_BY_FRAMEWORK = {
    **dict.fromkeys(("tensorflow1", "cudnn", "elmo", "unirep"), "TensorFlow 1"),
    **dict.fromkeys(("flax", "haiku", "equinox"), "JAX"),
    "torch": "PyTorch",
    "onnx": "ONNX",
    "keras": KERAS_3,
}

# New in Keras 3: a model of Keras 2 may have custom functions of these names.
_NEW_IN_KERAS_3 = {
    *("celu", "hard_shrink", "hard_silu", "hard_tanh", "log_sigmoid", "soft_shrink", "sparse_plus", "sparse_sigmoid"),
    *("squareplus", "tanh_shrink"),
}


def keras_generation(version: str | None) -> str:
    """Name the generation of a ``keras_version``; a file without one is older than Keras 3.

    Examples
    --------
    >>> keras_generation("3.3.0"), keras_generation("2.2.4-tf"), keras_generation(None)
    ('Keras 3', 'Keras 2', 'Keras 2')
    """
    major = (version or "").split(".")[0]
    return KERAS_3 if major.isdecimal() and int(major) >= 3 else KERAS_2


def meant(options: WeightOptions, stack: StoredStack) -> tuple[WeightOptions, list[str]]:
    """Replace the given activation names by our own, and note what was chosen.

    Parameters
    ----------
    options : WeightOptions
        As the user gave them.
    stack : StoredStack
        The stack that they apply to.

    Returns
    -------
    WeightOptions
        With names in ``ACTIVATIONS``, which are unambiguous.
    list of str
        A note for each activation that was given.

    Raises
    ------
    OptionError
        A name means several functions, and the file does not say which one.
    """
    generation = stack.generation or _of_convention(stack)
    resolved: dict[str, Any] = {}
    notes = []
    for option in ("activation", "recurrent_activation"):
        given = getattr(options, option)
        if given is not None:
            resolved[option], described = _meaning(given, generation, option)
            notes.append(f"{option.replace('_', ' ')} is {described}.")
    return replace(options, **resolved), notes


def _of_convention(stack: StoredStack) -> str:
    frameworks = [cell.convention.framework for layer in stack.layers for cell in layer.cells.values()]
    return _BY_FRAMEWORK[frameworks[0]] if frameworks else KERAS_3


def _meaning(given: str, generation: str, option: str) -> tuple[str, str]:
    given = OTHER_NAMES.get(given, given)
    if generation == UNKNOWN_KERAS:
        _check_clear(given, option)
        generation = KERAS_3
    meaning = MEANINGS[generation].get(given)
    if meaning is not None:
        return meaning.name, f"{given} of {generation}, {meaning.formula}, as given"
    if generation == KERAS_2 and given in _NEW_IN_KERAS_3:
        return given, f"{given}, as given; {generation} has none, that of {KERAS_3} is used"
    return given, f"{given}, as given"


def _check_clear(given: str, option: str) -> None:
    """Refuse a name that Keras 2 and Keras 3 give to different functions."""
    older, newer = (MEANINGS[generation].get(given) for generation in (KERAS_2, KERAS_3))
    if older != newer and older is not None and newer is not None:
        raise OptionError(
            f"{option}={given!r}: is {older.formula} in {KERAS_2} and {newer.formula} in {KERAS_3}, and the file "
            f"does not say which one wrote it; give {older.name} for {KERAS_2}, or "
            f"'hard_sigmoid(0.16666666666666666, 0.5)' for {KERAS_3}."
        )
