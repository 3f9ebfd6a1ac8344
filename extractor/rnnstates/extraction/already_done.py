"""Opens an already finished output if the same job made it, and refuses it if that cannot be shown."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..arrays.axes import Names
from ..errors import BadData, DoesNotMatch, MissingInput
from ..output.content import is_compressed
from ..output.finished import damage, damage_by_value
from ..output.format import INPUT_LENGTHS, Shape
from ..output.journal_file import read_journal
from ..output.layout import Contents
from ..output.lock import RunLock, is_held
from ..output.matching import differences, unrecorded
from ..output.naming import tidy, tidy_compressed
from ..output.partial import is_output_of
from ..output.reader import open_states
from ..output.states import States
from ..output.system import Place
from ..untrusted.hdf5 import open_hdf5
from .identity import identity_of

__all__ = ["already_done"]

logger = logging.getLogger("rnnstates")

# Provenance about the machine: any machine makes the same job's states, up to rounding.
WHERE = ("arithmetic", "device", "executors")
MEND = 'Choose another output, or replace it with if_exists="replace".'
UNREADABLE = (BadData, MissingInput, OSError, RuntimeError, KeyError, TypeError, ValueError, AttributeError)


def already_done(place: Place, contents: Contents) -> States | None:
    """Open the output if the job is done; nothing is computed or written.

    Parameters
    ----------
    place : Place
    contents : Contents
        What the job would write; all of its provenance counts except ``WHERE``.

    Returns
    -------
    States or None
        None if there is no output, or if a run is at work on it.

    Raises
    ------
    DoesNotMatch
        The output was made by a different job (the message gives both values), is damaged or not an output, or does
        not record enough.
    """
    names = place.names
    if not names.output.exists() or is_held(names.lock):
        return None
    try:
        states = open_states(names.output)
    except (BadData, MissingInput) as reason:
        raise DoesNotMatch(f"{reason} It is not the finished output of this job. {MEND}") from reason
    try:
        _compare(names.output, states, contents)
        _check_bytes(names.output, states, contents)
        _tidy(place)
    except BaseException:
        states.close()
        raise
    logger.info("%s: already done; the same job made it, and nothing is computed.", names.given)
    states.skipped = True
    return states


def _compare(output: Path, states: States, contents: Contents) -> None:
    now = contents.provenance
    about, expected = states.attributes["provenance"], now["identity"]
    recorded = about.get("identity") if isinstance(about, Mapping) else None
    if not isinstance(recorded, Mapping):
        raise DoesNotMatch(
            f"{output}: was made by a version of rnnstates that did not record everything that the states depend on, "
            f"so it cannot be shown that this job made it. {MEND}"
        )
    if expected["inputs"] is None and now["input"]["mtime_ns"] is None:
        raise DoesNotMatch(
            f"{output}: exists, and a stream of inputs can be read only once, so it cannot be compared with the inputs "
            f'of the output. Give the inputs as a file, or replace the output with if_exists="replace".'
        )
    before = _identity_of_file(output, states) | {"inputs": recorded.get("inputs")}
    after = identity_of(contents.provenance, contents.shape, contents.ids) | {"inputs": expected["inputs"]}
    if missing := unrecorded(_job(before), _job(after)):
        raise DoesNotMatch(
            f"{output}: was made by a version of rnnstates that did not record {missing}, so it cannot be shown that "
            f"this job made it. {MEND}"
        )
    if found := differences(_job(before), _job(after)):
        raise DoesNotMatch(f"{output}: was made by a different job: {found}. {MEND}")


def _identity_of_file(output: Path, states: States) -> dict[str, Any]:
    try:
        layout, padding = (str(states.attributes[name]) for name in ("layout", "padding"))
        lengths = np.asarray(states[INPUT_LENGTHS if INPUT_LENGTHS in states.datasets else "lengths"])
        shape = Shape(lengths.astype(np.int64), 0, layout, padding)
        ids = _StoredIds(states["ids"]) if "ids" in states.datasets else None
        return identity_of(states.provenance, shape, ids)
    except (KeyError, TypeError, ValueError, AttributeError) as reason:
        raise DoesNotMatch(
            f"{output}: its attributes do not say how it was made ({type(reason).__name__}: {reason}); it was damaged "
            f"or edited. {MEND}"
        ) from reason


def _job(identity: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in identity.items() if name not in WHERE}


def _check_bytes(output: Path, states: States, contents: Contents) -> None:
    try:
        with open_hdf5(output, BadData) as file:
            compressed = is_compressed(file, str(output), states.attributes["format_version"])
            wrong = damage_by_value(file, states, contents) if compressed else damage(file, contents)
    except UNREADABLE as reason:
        wrong = [str(reason)]
    if wrong:
        raise DoesNotMatch(
            f"{output}: was made by the same job, but is damaged or was edited: {'; '.join(wrong[:5])}. {MEND}"
        )


def _tidy(place: Place) -> None:
    """Remove what a run left next to the output when it ended just after renaming it into place."""
    names = place.names
    if not names.journal.exists():
        return
    with RunLock(place):
        known = read_journal(names.journal)
        if known is not None and is_output_of(place, known):
            tidy(place)
        elif known is not None and known.complete:
            # Few runs need it.
            from ..output.compressing import is_compressed_from

            if is_compressed_from(place, known):
                tidy_compressed(place)


class _StoredIds:
    """The ids of an output, in blocks like those of ``Ids``."""

    ascii = True

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self.dtype: np.dtype[Any] = dataset.dtype

    def blocks(self, rows: int) -> Iterator[tuple[int, Names]]:
        for start in range(0, len(self._dataset), rows):
            yield start, np.asarray(self._dataset[start : start + rows])
