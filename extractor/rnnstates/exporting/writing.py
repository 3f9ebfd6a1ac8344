"""Writes a plan to its destination: one file, one folder, or one file per sequence."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

from . import apart, zarr_folder
from .formats import EXPORTERS, Format
from .placing import check_place, check_room, new_file, new_folder
from .plan import Plan, arrays_of, table_of

__all__ = ["Destination", "Meter", "write_plan"]


@dataclass(frozen=True)
class Destination:
    """What is made.

    Parameters
    ----------
    path : Path
    suffix : str
        A key of ``EXPORTERS``.
    is_apart : bool
        Whether it is a folder with a file for each sequence.
    force : bool
        Whether it replaces what is there.
    """

    path: Path
    suffix: str
    is_apart: bool
    force: bool

    @property
    def form(self) -> Format:
        """The format."""
        return EXPORTERS[self.suffix]

    def check(self) -> None:
        """Refuse a name that cannot be made.

        Raises
        ------
        CannotCreate
        """
        is_ours: Callable[[Path], bool] = apart.is_export if self.is_apart else zarr_folder.is_export
        is_folder = self.is_apart or self.form.is_folder
        check_place(self.path, force=self.force, is_folder=is_folder, is_ours=is_ours)

    def size(self) -> int:
        """Return the bytes of the file, or of all files in the folder."""
        files = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sum(file.stat().st_size for file in files if file.is_file())


@dataclass
class Meter:
    """Counts the bytes read, and tells."""

    progress: Callable[[int, int], object] | None
    total: int = 0
    done: int = 0

    def count(self, nbytes: int) -> None:
        """Count some more."""
        self.done += nbytes
        if self.progress:
            self.progress(min(self.done, self.total), self.total)


def write_plan(plan: Plan, destination: Destination, meter: Meter) -> None:
    """Write everything, completely or not at all.

    Raises
    ------
    OptionError
        The format cannot hold the datasets, or not together.
    EngineUnavailable
        The format needs a package that is not there.
    CannotCreate, PermissionDenied, WriteFailed
        The destination cannot be written.
    """
    writer = import_module(f".{destination.form.module}", __package__)
    if destination.is_apart:
        _write_apart(plan, destination, meter, writer)
        return
    holds = destination.form.holds
    content = table_of(plan) if holds == "table" else arrays_of(plan, with_lengths=holds == "arrays")
    meter.total = content.nbytes
    if destination.form.is_folder:
        with new_folder(destination.path, force=destination.force) as unfinished:
            writer.write(content, unfinished)
        return
    # The size of text is not known.
    if holds != "table":
        check_room(destination.path, content.nbytes)
    with new_file(destination.path, force=destination.force) as unfinished:
        writer.write(content, unfinished)


def _write_apart(plan: Plan, destination: Destination, meter: Meter, writer: ModuleType) -> None:
    apart.check_apart(plan)
    as_table = destination.form.holds == "table"
    whole = arrays_of(replace(plan, layout="packed"), with_lengths=False)
    meter.total = (table_of(plan) if as_table else whole).nbytes
    with new_folder(destination.path, force=destination.force) as unfinished:
        apart.write(plan, writer.write, destination.suffix, unfinished, as_table=as_table)
