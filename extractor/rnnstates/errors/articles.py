"""Puts "a" or "an" before a name that a message learns only when it is written."""

import re

__all__ = ["with_article"]

# Names that begin with a vowel sound, among them abbreviations that are spelled out.
_VOWEL = re.compile(r"[aeiAEI]|[oO](?!ne)|[uU][mnp](?!i)|[FHLMNRSX][A-Z]|m?lstm|rnn|nd")


def with_article(name: str) -> str:
    """Put ``a`` or ``an`` before a name.

    Examples
    --------
    >>> [with_article(name) for name in ("int", "dict", "uint8", "LSTM", "lstm", "GRU", "OneHot", "ONNX", "SimpleRNN")]
    ['an int', 'a dict', 'a uint8', 'an LSTM', 'an lstm', 'a GRU', 'a OneHot', 'an ONNX', 'a SimpleRNN']
    """
    return f"{'an' if _VOWEL.match(name) else 'a'} {name}"
