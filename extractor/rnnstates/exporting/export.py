"""``rnnstates.export``: what a states file holds, in a format of other programs."""

import os
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import CannotCreate, OptionError
from ..errors.arguments import check_arguments
from ..errors.choices import LAYOUTS, Layout
from ..output.reader import open_states
from ..output.states import States
from .choosing import Places, members_chosen, rows_chosen, units_chosen
from .formats import EXPORTERS, Format
from .placing import check_place, check_room, new_file, new_folder
from .plan import Plan, arrays_of, table_of
from .stored import Member, Stored, stored_of
from .zarr_folder import is_export

__all__ = ["export"]


def export(
    output: str | os.PathLike[str] | States,
    destination: str | os.PathLike[str],
    *,
    datasets: str | Iterable[str] | None = None,
    rows: Places | None = None,
    units: Places | None = None,
    layout: Layout | None = None,
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
    >>> import numpy, rnnstates, tempfile
    >>> states = rnnstates.extract(numpy.ones((2, 3, 4)), [3, 1], units=5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = rnnstates.export(states, f"{folder}/means.csv", datasets="hidden_mean", units="0:2")
    ...     print(open(f"{folder}/means.csv").readline())
    id,hidden_mean_0,hidden_mean_1
    <BLANKLINE>
    """
    check_arguments({"destination": destination, "datasets": datasets, "force": force, "progress": progress})
    target = Path(destination)
    form = _format(destination)
    if layout not in (None, *LAYOUTS):
        raise OptionError(f"layout={layout!r}: unknown; expected one of {', '.join(LAYOUTS)}.")
    check_place(target, force=bool(force), is_folder=form.is_folder, is_ours=is_export)
    with nullcontext(output) if isinstance(output, States) else open_states(output) as states:
        where = "states" if isinstance(output, States) else os.fspath(output)
        _check_apart(target, output)
        stored = stored_of(states, where)
        members = members_chosen(datasets, stored) or _usual(stored, form)
        chosen = {member.name: units_chosen(units, member) for member in members}
        meter = _Meter(progress)
        plan = Plan(stored, rows_chosen(rows, stored), members, chosen, layout or stored.shape.layout, meter.count)
        return {"output": where, **_written(plan, form, target, force=bool(force), meter=meter)}


@dataclass
class _Meter:
    """Counts the bytes read."""

    progress: Callable[[int, int], object] | None
    total: int = 0
    done: int = 0

    def count(self, nbytes: int) -> None:
        self.done += nbytes
        if self.progress:
            self.progress(min(self.done, self.total), self.total)


def _written(plan: Plan, form: Format, target: Path, *, force: bool, meter: _Meter) -> dict[str, Any]:
    writer = import_module(f".{form.module}", __package__)
    content = table_of(plan) if form.holds == "table" else arrays_of(plan, with_lengths=form.holds == "arrays")
    meter.total = content.nbytes
    # The size of text and of what is compressed is not known.
    if form.holds != "table" and not form.is_folder:
        check_room(target, content.nbytes)
    with new_folder(target, force=force) if form.is_folder else new_file(target, force=force) as unfinished:
        writer.write(content, unfinished)
    return {
        "destination": str(target),
        "format": target.suffix.lower(),
        "sequences": len(plan.rows),
        "steps": plan.chosen.shape.valid_steps,
        "datasets": [member.name for member in plan.members],
        "bytes": _size(target),
    }


def _size(target: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if target.is_dir():
        return sum(_size(path) for path in target.iterdir())
    return target.stat().st_size


def _format(destination: str | os.PathLike[str]) -> Format:
    suffix = Path(destination).suffix.lower()
    if suffix not in EXPORTERS:
        raise OptionError(
            f"{destination}: expected a name that ends in {', '.join(EXPORTERS)}, because that decides the format."
        )
    return EXPORTERS[suffix]


def _usual(stored: Stored, form: Format) -> tuple[Member, ...]:
    """Return what is exported if no dataset is named."""
    states = [member for member in stored.members.values() if member.is_state]
    pooled = [member for member in states if not member.per_step]
    if not states:
        raise OptionError(f'datasets=: {stored.where} has no states; name what to export, e.g. datasets="lengths".')
    if form.holds == "table":
        return tuple(pooled or states)
    if form.holds == "array" and len(states) != 1:
        raise OptionError(
            f"datasets=: one array is exported to .npy, but {stored.where} has {len(states)}; name one of "
            f"{', '.join(member.name for member in states)}."
        )
    return tuple(states)


def _check_apart(target: Path, output: object) -> None:
    if isinstance(output, str | os.PathLike) and target.exists() and target.samefile(output):
        raise CannotCreate(f"{target}: is what is exported; choose another name.")
