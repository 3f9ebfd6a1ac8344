"""Notes on weights that are true only as long as nobody decides otherwise."""

from collections.abc import Iterable
from typing import Literal

__all__ = ["STORED_START", "ZERO_START", "Note", "prefixed", "undecided"]

Subject = Literal[
    "activation", "recurrent_activation", "forget_bias", "cell_clip", "projection_clip", "stored start", "zero start"
]

# That sequences start from states in the file, and that they start from zero.
STORED_START: Subject = "stored start"
ZERO_START: Subject = "zero start"


class Note(str):
    """A note that is left out once all that it is about has been decided."""

    __slots__ = ("about",)
    about: frozenset[Subject]

    def __new__(cls, text: str, *about: Subject) -> "Note":
        """Name the parameters of ``load_weights`` that decide what a text says, or whose start it is about."""
        note = super().__new__(cls, text)
        note.about = frozenset(about)
        return note


def undecided(notes: Iterable[str], decided: Iterable[str]) -> tuple[str, ...]:
    """Leave out the notes on what has been decided.

    Examples
    --------
    >>> undecided(["is stateful.", Note("tanh is assumed.", "activation")], {"activation"})
    ('is stateful.',)
    """
    known = frozenset(decided)
    return tuple(note for note in notes if not isinstance(note, Note) or not note.about <= known)


def prefixed(subject: str, note: str) -> str:
    """Put in front of a note what it is about."""
    text = f"{subject} {note}"
    return Note(text, *note.about) if isinstance(note, Note) else text
