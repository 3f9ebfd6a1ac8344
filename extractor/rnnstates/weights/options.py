"""``WeightOptions``: what a caller states about a weights file because the file does not."""

import math
from dataclasses import dataclass
from typing import Any

from ..errors import OptionError
from ..network.activations import ACTIVATIONS, OTHER_NAMES, is_activation
from .conventions import CONVENTIONS

__all__ = ["ZERO", "WeightOptions", "check_options"]

# The value of ``initial_state`` that ignores trained initial states.
ZERO = "zero"


@dataclass(frozen=True)
class WeightOptions:
    """What a caller states about the weights because the file does not; None for what the file or the format says.

    Parameters
    ----------
    convention : str or None
        A name in ``CONVENTIONS``: the meaning of the names in a file.
    embedding : str or None
        The array or module that token ids are looked up in; ``"none"`` for none.
    initial_state : str or None
        ``"zero"`` to ignore trained initial states.
    forget_bias : float or None
        Added to the forget gate at run time, on top of the stored bias.
    activation, recurrent_activation : str or None
    cell_clip, projection_clip : float or None
    config : str or None
        The path of a Keras configuration, for a file with weights only.
    """

    convention: str | None = None
    forget_bias: float | None = None
    activation: str | None = None
    recurrent_activation: str | None = None
    cell_clip: float | None = None
    projection_clip: float | None = None
    embedding: str | None = None
    initial_state: str | None = None
    config: str | None = None

    def settings(self) -> dict[str, Any]:
        """Return the settings that are not None, by the names of ``LayerWeights``."""
        names = ("forget_bias", "activation", "recurrent_activation", "cell_clip", "projection_clip")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def check_options(options: WeightOptions) -> None:
    """Refuse an option that is out of range or unknown.

    Raises
    ------
    OptionError
    """
    if options.convention is not None and options.convention not in CONVENTIONS:
        raise OptionError(f"convention={options.convention!r}: unknown; known are {', '.join(CONVENTIONS)}.")
    if options.forget_bias is not None and not math.isfinite(options.forget_bias):
        raise OptionError(f"forget_bias={options.forget_bias}: expected a finite number.")
    if options.initial_state not in (None, ZERO):
        raise OptionError(f"initial_state={options.initial_state!r}: of weights, expected '{ZERO}' or nothing.")
    for name in ("activation", "recurrent_activation"):
        value = getattr(options, name)
        if value is not None and not is_activation(OTHER_NAMES.get(value, value)):
            known = ", ".join(ACTIVATIONS)
            raise OptionError(f"{name}={value!r}: unknown; known are {known}.")
    for name in ("cell_clip", "projection_clip"):
        value = getattr(options, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise OptionError(f"{name}={value!r}: expected a positive number.")
