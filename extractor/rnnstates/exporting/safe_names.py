"""Makes file names of ids, which may be any text: never a path, never hidden, never twice the same."""

import unicodedata

__all__ = ["SafeNames"]

# Bytes of a name in UTF-8, without what makes it unique and its suffix; most file systems take 255.
MOST_BYTES = 180
# Names of devices on Windows.
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}


class SafeNames:
    """Gives each id a file name.

    Letters, digits, ``-``, ``.`` and ``_`` stay; anything else becomes ``_``. Where two names would be the same, also
    on systems that ignore case or how accents are written, the later one gets the number of its sequence.

    Examples
    --------
    >>> names = SafeNames(".npy")
    >>> [names.of(text, row) for row, text in enumerate(["../../etc/passwd", "a/b", "A_B", ""])]
    ['_._.._etc_passwd.npy', 'a_b.npy', 'A_B~2.npy', '_.npy']
    """

    def __init__(self, suffix: str, *, taken: tuple[str, ...] = ()) -> None:
        self._suffix = suffix
        self._taken = {_same(name) for name in taken}

    def of(self, text: str, row: int) -> str:
        """Return the name for the id of a sequence; each sequence may be given once."""
        stem = _stem(text)
        # "~" is in no other name, and the number in no other sequence's.
        name = stem + self._suffix if _same(stem + self._suffix) not in self._taken else f"{stem}~{row}{self._suffix}"
        self._taken.add(_same(name))
        return name


def _stem(text: str) -> str:
    kept = "".join(one if one.isalnum() or one in "-._" else "_" for one in text)
    if kept.startswith(".") or kept.partition(".")[0].lower() in DEVICES or not kept:
        kept = f"_{kept[1:]}" if kept.startswith(".") else f"_{kept}"
    return kept.encode("utf-8", "replace")[:MOST_BYTES].decode("utf-8", "ignore")


def _same(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
