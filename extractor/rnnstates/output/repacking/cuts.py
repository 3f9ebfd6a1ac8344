"""Cuts the rows of a dataset into pieces of bounded size that are whole sequences, or lie in one. Pure."""

from collections.abc import Iterator, Sequence

from ..format import DatasetSpec

__all__ = ["CHUNK_BYTES", "chunks_of", "cuts", "pieces_of", "place_of"]

# HDF5 caches 1 MiB per dataset: a chunk of that size is decompressed once while its sequences are read one by one.
CHUNK_BYTES = 2**20
# Read and converted at a time.
PIECE_BYTES = 2**22


def cuts(rows: tuple[int, int], unit: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield consecutive pieces of some rows: (first, one past the last).

    Parameters
    ----------
    rows : (int, int)
        A multiple of ``unit`` each.
    unit : int
        Rows of a sequence; 1 if rows are not cut by sequences.
    most : int
        Rows of a piece.

    Examples
    --------
    >>> list(cuts((0, 12), 3, 7)), list(cuts((3, 9), 3, 2))
    ([(0, 6), (6, 12)], [(3, 5), (5, 6), (6, 8), (8, 9)])
    """
    begin, end = rows
    if unit <= most:
        step = most - most % max(1, unit)
        yield from ((at, min(at + step, end)) for at in range(begin, end, step))
        return
    for start in range(begin, end, unit):
        yield from ((at, min(at + most, start + unit)) for at in range(start, start + unit, most))


def pieces_of(spec: DatasetSpec, rows: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield pieces of some rows, sequences from the first to the last step, to be read at a time."""
    yield from cuts(rows, _unit(spec), _fitting(spec, PIECE_BYTES))


def chunks_of(spec: DatasetSpec) -> tuple[tuple[int, ...], Iterator[tuple[int, int]]]:
    """Return the shape of a dataset's chunks and the rows of each, in order.

    A chunk holds whole sequences, or steps of one: a sequence, or a block of them, takes no more chunks than it must.
    """
    unit, most = _unit(spec), _fitting(spec, CHUNK_BYTES)
    rows = 1
    for axis in spec.shape[:-1]:
        rows *= axis
    if len(spec.shape) == 2:
        shape: tuple[int, ...] = (min(most, max(1, rows)), spec.width)
    else:
        whole = max(1, min(most // max(1, unit), spec.shape[0]))
        shape = (whole, unit, spec.width) if unit <= most else (1, most, spec.width)
        most = whole * unit if unit <= most else most
    return shape, cuts((0, rows), unit, max(1, most))


def place_of(shape: Sequence[int], first: int, last: int) -> tuple[slice, ...]:
    """Return the part of a dataset that rows of one piece are: a slice for each axis."""
    if len(shape) == 2:
        return slice(first, last), slice(0, shape[1])
    _, unit, width = shape
    sequence, step = divmod(first, unit)
    if step == 0 and (last - first) % unit == 0:
        return slice(sequence, last // unit), slice(0, unit), slice(0, width)
    return slice(sequence, sequence + 1), slice(step, step + last - first), slice(0, width)


def _unit(spec: DatasetSpec) -> int:
    return 1 if len(spec.shape) == 2 else spec.shape[1]


def _fitting(spec: DatasetSpec, size: int) -> int:
    """Return how many rows are about that many bytes."""
    return max(1, size // max(1, spec.width * spec.dtype.itemsize))
