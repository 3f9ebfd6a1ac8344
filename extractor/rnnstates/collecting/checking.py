"""Checks that a layer's recorded states are those of its cell, and depend on their own sequence only."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays.axes import Array
from ..errors import BadWeights
from ..keras.started import keras, tf
from .tapping import Heard

__all__ = ["check_alone", "check_cell", "check_shape"]

# How far a layer's own output may be from its cell's, run step by step: rounding, also cuDNN's.
FURTHEST = {"float64": 1e-9, "float32": 1e-4, "bfloat16": 0.1, "float16": 0.02}
# How far a state may change when computed with other rows: rounding of other kernels, and TensorFloat-32's.
FURTHEST_ALONE = {"float64": 1e-6, "float32": 1e-2}
ADVICE = "leave it out with layers=[...]."


def check_cell(one: Heard, difference: float, states: Sequence[Any]) -> None:
    """Refuse a layer whose output differs from its cell's, run step by step.

    Raises
    ------
    BadWeights
    """
    dtype = keras.backend.standardize_dtype(states[0].dtype)
    # NaN passes here; such states are refused elsewhere.
    if difference > FURTHEST.get(dtype, 1e-4) * max(1.0, float(tf.reduce_max(tf.abs(states[0])))):
        raise BadWeights(
            f"layer '{one.found.path}': what it gives is up to {difference:.1e} away from its cell's states, so it "
            f"does more than run its cell; {ADVICE}"
        )


def check_shape(one: Heard, found: Sequence[int], expected: tuple[int, int]) -> None:
    """Refuse states that are not one per input row, or have other steps than before.

    Raises
    ------
    BadWeights
    """
    if tuple(found[:2]) != expected:
        raise BadWeights(
            f"layer '{one.found.path}': its states are [{found[0]}, {found[1]}, …]; expected [{expected[0]}, "
            f"{expected[1]}, …], one sequence per row, with as many steps as the first; {ADVICE}"
        )


def check_alone(one: Heard, states: Sequence[Array], alone: Sequence[Array]) -> None:
    """Refuse a layer whose states of a sequence change when it is computed alone.

    Rounding may grow from step to step, so only the first step with a nonzero state is compared.

    Parameters
    ----------
    one : Heard
    states, alone : sequence of floating [B, T, W]
        Of a batch, and of its first row alone.

    Raises
    ------
    BadWeights
    """
    furthest = FURTHEST_ALONE.get(keras.backend.standardize_dtype(one.states[0].dtype), 0.5)
    turn = -1 if one.found.direction == "backward" else 1
    for batch, single in zip(states, alone, strict=True):
        here, there = batch[0, ::turn], single[0, ::turn]
        step = int(np.argmax(((here != 0) | (there != 0)).any(axis=1)))
        # Non-finite states are refused elsewhere.
        with np.errstate(invalid="ignore"):
            difference = np.abs(here[step] - there[step]).max(initial=0)
        if difference > furthest * max(1.0, np.abs(here[step]).max(initial=0)):
            raise BadWeights(
                f"layer '{one.found.path}': a state of sequence 0 is {difference:.1e} away from that of the same "
                "sequence computed before, alone, so the model computes at random, keeps something, or reads the whole "
                f"batch. The latter does not matter with batch_size=1; else {ADVICE}"
            )
