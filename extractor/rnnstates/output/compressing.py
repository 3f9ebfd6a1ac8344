"""Writes the output of a run from its complete ``.partial``, compressed; until it has its name, ``.partial`` stays.

A run that compresses first computes as any other, into a contiguous file with a journal. What ends it while it
compresses therefore costs nothing but the compressing: the next run finds all windows finished and begins here.
"""

import logging
import struct

from ..errors import BadStates, RnnstatesError
from ..errors.choices import Compression
from ..untrusted.hdf5 import open_hdf5
from .journal import Journal
from .naming import replaced, taken
from .ours import has_name
from .partial import Partial
from .reader import open_states, open_unfinished
from .repacking import Rewriting, digest_of, read_finished, write_named
from .system import Place

__all__ = ["compress", "is_compressed_from"]

logger = logging.getLogger("rnnstates")


def compress(place: Place, made: Partial, compression: Compression, *, force: bool) -> None:
    """Write the output from ``.partial``, which is complete and on disk, and remove ``.partial``.

    Parameters
    ----------
    place : Place
    made : Partial
    compression : str
    force : bool
        Whether an existing output is replaced.

    Raises
    ------
    CannotCreate
        The output's name was taken meanwhile; the finished work stays in ``.partial``.
    BadStates
        ``.partial`` was damaged meanwhile.
    WriteFailed, OSError
        The disk is full or failing, or ``.partial`` has been replaced by a different file.
    """
    names = place.names
    if not has_name(made.fd, names.partial):
        raise replaced(names, names.partial)
    logger.info("%s: all states are computed and are compressed now (%s).", names.given, compression)
    path = str(names.partial)
    try:
        with open_unfinished(path) as states, open_hdf5(path, BadStates) as file:
            old = read_finished(file, states, path)
            old.check_rest()
            how = Rewriting(old.shape.layout, old.dtype, compression, None)
            write_named(old, place, how, force=force)
    except FileExistsError as reason:
        raise taken(names) from reason
    except BadStates as reason:
        raise BadStates(
            f"{reason} Or run the same job again with verify=True, which computes what was damaged."
        ) from reason
    if has_name(made.fd, names.partial):
        place.system.unlink(names.partial)


def is_compressed_from(place: Place, known: Journal) -> bool:
    """Return whether the output was written from the ``.partial`` of a complete journal."""
    if not known.complete or not place.names.output.is_file():
        return False
    try:
        with open_states(place.names.output) as states:
            made = states.provenance.get("repacked")
    except RnnstatesError:
        return False
    origin = made[0].get("from") if isinstance(made, list) and made and isinstance(made[0], dict) else None
    return isinstance(origin, dict) and origin.get("digest") == _digest(known)


def _digest(known: Journal) -> str:
    """Return the digest of the ``.partial`` that a journal describes."""
    numbers = [number for _, window in sorted(known.windows.items()) for sums in window.sums for number in sums]
    return digest_of(bytes.fromhex(known.header.rest), struct.pack(f"<{len(numbers)}Q", *numbers))
