"""``rnnstates.CHOICES``: for each parameter the words it accepts, gathered from all rooms. Needs no NumPy."""

from ..errors.choices import COMPRESSIONS, DTYPES, ENGINE_NAMES, IF_EXISTS, LAYOUTS, PADDINGS, PRECISIONS
from ..network.names import POOLING_NAMES, STATES
from ..weights.conventions import CONVENTIONS
from ..weights.writers import WRITERS

__all__ = ["CHOICES"]

CHOICES: dict[str, tuple[str, ...]] = {
    "states": STATES,
    "pool": POOLING_NAMES,
    "layout": LAYOUTS,
    "dtype": DTYPES,
    "compression": COMPRESSIONS,
    "padding": PADDINGS,
    "if_exists": IF_EXISTS,
    "engine": ("auto", *ENGINE_NAMES),
    "precision": PRECISIONS,
    "convention": tuple(CONVENTIONS),
    "to": tuple(WRITERS),
}
