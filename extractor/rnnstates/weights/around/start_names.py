"""Recognises the names of trained initial states: ``h0``, ``init_c``, ``rnn_h_0``, ``initial_state_h`` and so on."""

import functools
import re

from .names import leaf_of, parts_of

__all__ = ["STATE_WORDS", "is_bare_state", "is_start", "is_start_word", "names_a_start", "pieces_of"]

# The state that a word means.
STATE_WORDS = {"h": "hidden", "hx": "hidden", "hidden": "hidden", "c": "cell", "cx": "cell", "cell": "cell"}
_FIRST = {
    *("0", "default", "first", "init", "initial", "learnable", "learned", "learnt", "prev", "previous", "start"),
    *("trainable", "zero"),
}
_WHOLE = {"carry", "state", "states"}
_WEIGHTS = {"b", "beta", "bias", "gamma", "kernel", "scale", "u", "v", "w", "weight", "weights"}
# Leaves that may follow such a name, if the state is a module or a list.
_INSIDE = {*STATE_WORDS, "0", "1", "weight", "bias", "kernel"}


@functools.lru_cache(maxsize=2**16)
def pieces_of(part: str) -> frozenset[str]:
    """Split a part of a name into words and digits.

    Examples
    --------
    >>> sorted(pieces_of("rnn_h0")), sorted(pieces_of("initHidden"))
    (['0', 'h', 'rnn'], ['hidden', 'init'])
    """
    return frozenset(piece.lower() for piece in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", part))


def is_start_word(word: str) -> bool:
    """Return whether a word says nothing but that something is an initial state."""
    return pieces_of(word) <= {*STATE_WORDS, *_FIRST, *_WHOLE}


def names_a_start(part: str) -> bool:
    """Return whether a part of a name says which state it is, and that it is the first.

    Examples
    --------
    >>> names = ("h0", "rnn_h_0", "init_state_c", "hidden", "w_c0", "hidden_state", "hx")
    >>> [name for name in names if names_a_start(name)]
    ['h0', 'rnn_h_0', 'init_state_c', 'hx']
    """
    words = pieces_of(part)
    first = words & _FIRST or words & {"hx", "cx"}
    return bool(words & {*STATE_WORDS, *_WHOLE}) and bool(first) and not words & _WEIGHTS


def is_start(name: str) -> bool:
    """Return whether an array, or what contains it, is named like an initial state.

    Examples
    --------
    >>> names = ("encoder.h0", "init_hidden.0", "h0.weight", "hidden_state", "lstm.weight_hh_l0", "h.0.weight")
    >>> [name for name in names if is_start(name)]
    ['encoder.h0', 'init_hidden.0', 'h0.weight', 'hidden_state']
    """
    leaf, above = leaf_of(name), (parts_of(name)[-2:-1] or ("",))[0]
    carried = pieces_of(leaf) & set(STATE_WORDS) and pieces_of(leaf) & _WHOLE and not pieces_of(leaf) & _WEIGHTS
    return names_a_start(leaf) or bool(carried) or (leaf in _INSIDE and names_a_start(above))


def is_bare_state(name: str) -> bool:
    """Return whether an array is named like a state, without saying that it is the first.

    Examples
    --------
    >>> [name for name in ("params/carry", "rnn.hidden", "h", "h0", "c.weight") if is_bare_state(name)]
    ['params/carry', 'rnn.hidden', 'h']
    """
    return pieces_of(leaf_of(name)) <= {*STATE_WORDS, *_WHOLE}
