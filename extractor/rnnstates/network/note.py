"""Notes on assumptions about weights, dropped when the caller decides the matter."""

from collections.abc import Iterable
from typing import Literal

__all__ = ["MODEL_MASK", "STORED_START", "ZERO_START", "Note", "prefixed", "undecided"]

Subject = Literal[
    "activation",
    "recurrent_activation",
    "forget_bias",
    "cell_clip",
    "projection_clip",
    "stored start",
    "zero start",
    "model mask",
]

# Subjects of notes that sequences start from states in the file, or from zero.
STORED_START: Subject = "stored start"
ZERO_START: Subject = "zero start"
# Subject of notes that the model itself masks steps.
MODEL_MASK: Subject = "model mask"


class Note(str):
    """A note that is left out once everything it is about has been decided."""

    __slots__ = ("about",)
    about: frozenset[Subject]

    def __new__(cls, text: str, *about: Subject) -> "Note":
        """Make a note about the parameters of ``load_weights`` that would decide the matter, or about a start."""
        note = super().__new__(cls, text)
        note.about = frozenset(about)
        return note


def undecided(notes: Iterable[str], decided: Iterable[str]) -> tuple[str, ...]:
    """Leave out notes on what has been decided.

    Examples
    --------
    >>> undecided(["is stateful.", Note("tanh is assumed.", "activation")], {"activation"})
    ('is stateful.',)
    """
    known = frozenset(decided)
    return tuple(note for note in notes if not isinstance(note, Note) or not note.about <= known)


def prefixed(subject: str, note: str) -> str:
    """Prefix a note with its subject."""
    text = f"{subject} {note}"
    return Note(text, *note.about) if isinstance(note, Note) else text
