"""What has been written into an empty file, kept so that it can be read back without asking the disk."""

__all__ = ["Remembered"]

PAGE = 4096
# Larger writes are values of datasets, which nobody reads back; they stay on disk alone.
LARGEST = 2**16


class Remembered:
    r"""The small writes of a file that was empty; what was never written is zero.

    Attributes
    ----------
    end : int
        Bytes of the file.

    Examples
    --------
    >>> kept = Remembered()
    >>> kept.wrote(memoryview(b"abc"), 4094)
    >>> kept.read(6, 4093), kept.end
    (b'\x00abc\x00\x00', 4097)
    """

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._elsewhere: list[range] = []
        self.end = 0

    def wrote(self, data: memoryview, position: int) -> None:
        """Tell of bytes that were written."""
        self.end = max(self.end, position + len(data))
        if len(data) > LARGEST:
            self._elsewhere.append(range(position, position + len(data)))
            return
        while data:
            number, inside = divmod(position, PAGE)
            piece = data[: PAGE - inside]
            self._pages.setdefault(number, bytearray(PAGE))[inside : inside + len(piece)] = piece
            data, position = data[len(piece) :], position + len(piece)

    def read(self, count: int, position: int) -> bytes | None:
        """Give bytes back, zeros where the file has ended; None where some of them are on disk alone."""
        if any(position < there.stop and there.start < position + count for there in self._elsewhere):
            return None
        numbers = range(position // PAGE, -(-(position + count) // PAGE))
        found = b"".join(self._pages.get(number, bytes(PAGE)) for number in numbers)
        start = position - position // PAGE * PAGE
        return found[start : start + count]
