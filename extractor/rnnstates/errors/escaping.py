"""Makes text from files and paths safe to print: terminals obey escape sequences, and newlines forge lines."""

__all__ = ["printable"]

# A message may quote a name of any length.
LONGEST = 4000


def printable(text: str, *, most: int = LONGEST) -> str:
    r"""Escape everything but visible characters and spaces, as ``repr`` does, and shorten long text.

    Control characters, line ends, terminal escapes, directional marks and lone surrogates are written as ``\x1b``,
    ``\n`` or ``\u202e``; letters of any script stay as they are.

    Parameters
    ----------
    text : str
        At most one line.
    most : int
        Number of characters to keep; the number of those left out is appended.

    Examples
    --------
    >>> print(printable("a\x1b[31m über\n"))
    a\x1b[31m über\n
    >>> printable("abcdef", most=3)
    'abc… (3 more characters)'
    """
    kept = text[:most]
    if not kept.isprintable():
        kept = "".join(character if character.isprintable() else _escaped(character) for character in kept)
    return kept if len(text) <= most else f"{kept}… ({len(text) - most} more characters)"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
