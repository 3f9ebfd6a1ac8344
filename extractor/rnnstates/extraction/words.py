"""Checks the words of an option against those that are known, and names the nearest one."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from ..errors import OptionError
from ..network.cells import STATES
from ..network.pooling import FINAL, POOLINGS

__all__ = ["names", "one", "pools", "split"]


def split(given: "str | Iterable[str] | None") -> list[str]:
    """Return the words of a str with commas between, or of several; none for ``none``."""
    words = given.split(",") if isinstance(given, str) else list(given or ())
    words = [word.strip() for word in words if word.strip()]
    return [] if words == ["none"] else words


def names(option: str, given: "str | Sequence[str] | None", known: Sequence[str]) -> tuple[str, ...]:
    """Return the words of an option, each once and in order.

    Raises
    ------
    OptionError
        One is unknown.
    """
    return tuple(dict.fromkeys(one(option, word, known) for word in split(given)))


def one(option: str, name: str, known: Iterable[str]) -> str:
    """Return a word if it is known.

    Raises
    ------
    OptionError
    """
    known = tuple(known)
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise OptionError(f"{option}={name!r}: unknown; known are {', '.join(known)}.{hint}")


def pools(given: "str | Sequence[str] | Mapping[str, str | Sequence[str]] | None") -> tuple[str, ...]:
    """Return the poolings: ``mean`` for every state that is pooled, ``cell:mean`` for one state.

    Raises
    ------
    OptionError
        A state or a pooling is unknown, or ``final`` is wanted of one state.

    Examples
    --------
    >>> pools("mean,cell:last"), pools({"hidden": ("mean", "max"), "cell": "last"})
    (('mean', 'cell:last'), ('hidden:mean', 'hidden:max', 'cell:last'))
    """
    if isinstance(given, Mapping):
        words = [f"{state}:{pooling}" for state, some in given.items() for pooling in split(some)]
    else:
        words = split(given)
    return tuple(dict.fromkeys(_pool(word) for word in words))


def _pool(word: str) -> str:
    state, colon, pooling = (part.strip() for part in word.rpartition(":"))
    one("pool", pooling, POOLINGS)
    if not colon:
        return pooling
    one("pool", state, STATES)
    if pooling == FINAL:
        raise OptionError(
            f"pool={word!r}: final is kept of every state that a cell carries, so that a run can continue from it; "
            'expected pool="final".'
        )
    return f"{state}:{pooling}"
