"""``rnnstates.export``: what a states file holds, in a format of other programs."""

import os
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ..errors import CannotCreate, OptionError
from ..errors.arguments import check_arguments
from ..errors.choices import LAYOUTS, Layout
from ..output.reader import open_states
from ..output.states import States
from .choosing import Places, members_chosen, rows_chosen, units_chosen
from .formats import EXPORTERS
from .plan import Plan
from .stored import Member, Stored, stored_of
from .writing import Destination, Meter, write_plan

__all__ = ["export"]


def export(
    output: str | os.PathLike[str] | States,
    destination: str | os.PathLike[str],
    *,
    datasets: str | Iterable[str] | None = None,
    rows: Places | None = None,
    units: Places | None = None,
    layout: Layout | None = None,
    per_sequence: str | None = None,
    force: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Write states to a file of another format, completely or not at all, in bounded memory.

    Parameters
    ----------
    output : str, path or States
        What ``extract`` made.
    destination : str or path
        The format follows from the suffix: ``.npy`` is one array; ``.npz``, ``.zarr`` (a folder), ``.mat``, ``.pt``
        and ``.safetensors`` hold arrays by name, with lengths and ids; ``.csv``, ``.parquet`` and ``.feather`` are
        tables of one row per sequence (pooled vectors) or one per valid step (states).
    datasets : str or list of str
        Names as in ``states``, with commas between. Default: everything, in a table the pooled vectors.
    rows : str, slice, numbers, ids or path
        The sequences: ``"FIRST:LAST"`` (without LAST, from 0), numbers, ids, or a text file with one id per line.
    units : str, slice or numbers
        The units of every dataset, e.g. ``"0:10,17"``.
    layout : str
        ``padded`` or ``packed``, for arrays of states; default: as stored.
    per_sequence : str
        ``npy``, ``csv`` or another of these formats: ``destination`` is a folder then, with one file for each sequence,
        named by its id, and ``manifest.csv``, which lists them.
    force : bool
        Replace an existing file, or a folder that export made.
    progress : callable
        Called with (bytes read, bytes in all).

    Returns
    -------
    dict
        ``destination``, ``format``, ``sequences``, ``steps``, ``datasets``, and ``bytes`` written.

    Raises
    ------
    OptionError
        An unknown suffix, dataset, sequence or unit, or datasets that the format cannot hold together.
    MissingInput, BadStates
        The states cannot be read.
    EngineUnavailable
        The format needs a package that is not there.
    CannotCreate, PermissionDenied, WriteFailed
        The destination exists, or cannot be written.

    Examples
    --------
    >>> import numpy, pathlib, rnnstates, tempfile
    >>> states = rnnstates.extract(numpy.ones((2, 3, 4)), [3, 1], units=5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = rnnstates.export(states, f"{folder}/means.csv", datasets="hidden_mean", units="0:2")
    ...     print(pathlib.Path(f"{folder}/means.csv").read_text().splitlines()[0])
    id,hidden_mean_0,hidden_mean_1
    """
    check_arguments({"destination": destination, "datasets": datasets, "force": force, "progress": progress})
    made = _destination(destination, per_sequence, force=bool(force))
    if layout not in (None, *LAYOUTS):
        raise OptionError(f"layout={layout!r}: unknown; expected one of {', '.join(LAYOUTS)}.")
    _check_apart(made.path, output)
    made.check()
    with nullcontext(output) if isinstance(output, States) else open_states(output) as states:
        stored = stored_of(states, "states" if isinstance(output, States) else os.fspath(output))
        members = members_chosen(datasets, stored) or _usual(stored, made)
        chosen = {member.name: units_chosen(units, member) for member in members}
        meter = Meter(progress)
        plan = Plan(stored, rows_chosen(rows, stored), members, chosen, layout or stored.shape.layout, meter.count)
        write_plan(plan, made, meter)
    return {
        "output": stored.where,
        "destination": os.fspath(destination),
        "format": made.suffix,
        "sequences": len(plan.rows),
        "steps": plan.chosen.shape.valid_steps,
        "datasets": [member.name for member in members],
        "bytes": made.size(),
    }


def _destination(given: str | os.PathLike[str], per_sequence: str | None, *, force: bool) -> Destination:
    if per_sequence is None:
        suffix = Path(given).suffix.lower()
        if suffix not in EXPORTERS:
            raise OptionError(
                f"{os.fspath(given)}: expected a name that ends in {', '.join(EXPORTERS)}, because that decides the "
                "format."
            )
        return Destination(Path(given), suffix, is_apart=False, force=force)
    files = [suffix.strip(".") for suffix, form in EXPORTERS.items() if not form.is_folder]
    if per_sequence.strip(".").lower() not in files:
        raise OptionError(f"per_sequence={per_sequence!r}: unknown; expected one of {', '.join(files)}.")
    return Destination(Path(given), f".{per_sequence.strip('.').lower()}", is_apart=True, force=force)


def _usual(stored: Stored, made: Destination) -> tuple[Member, ...]:
    """Return what is exported if no dataset is named."""
    states = [member for member in stored.members.values() if member.is_state]
    # What a table has one row of: a sequence, or in a file of one sequence a step.
    preferred = [member for member in states if member.per_step == made.is_apart]
    if not states:
        raise OptionError(f'datasets=: {stored.where} has no states; name what to export, e.g. datasets="lengths".')
    if made.form.holds == "table":
        return tuple(preferred or states)
    if made.form.holds == "array" and len(states) != 1:
        raise OptionError(
            f"datasets=: one array is exported to .npy, but {stored.where} has {len(states)}; name one of "
            f"{', '.join(member.name for member in states)}."
        )
    return tuple(states)


def _check_apart(target: Path, output: object) -> None:
    if isinstance(output, str | os.PathLike) and target.exists() and target.samefile(output):
        raise CannotCreate(f"{target}: is what is exported; choose another name.")
