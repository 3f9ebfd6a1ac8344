"""Text from files and paths, made safe to print: terminals obey escapes, and newlines forge lines."""

__all__ = ["printable"]

# A message may quote a name of any length.
LONGEST = 4000


def printable(text: str, *, most: int = LONGEST) -> str:
    r"""Escape everything that is not a visible character or a space, as ``repr`` does, and shorten long text.

    Control characters, line ends, terminal escapes, directional marks and lone surrogates are written as ``\x1b``,
    ``\n`` or ``\u202e``; letters of any script stay as they are.

    Parameters
    ----------
    text : str
        One line, or less.
    most : int
        Characters of it to keep; the number of those left out is added.

    Examples
    --------
    >>> print(printable("a\x1b[31m über\n"))
    a\x1b[31m über\n
    >>> printable("abcdef", most=3)
    'abc… (3 more characters)'
    """
    kept = text[:most]
    if not kept.isprintable():
        kept = "".join(letter if letter.isprintable() else _escaped(letter) for letter in kept)
    return kept if len(text) <= most else f"{kept}… ({len(text) - most} more characters)"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
