"""Writes one file per sequence into a folder, with a list of them and how the states were made."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import OptionError
from .plan import Plan, one_sequence, table_of
from .safe_names import SafeNames
from .texts import ids_at

__all__ = ["check_apart", "is_export", "write"]

MANIFEST, PROVENANCE = "manifest.csv", "provenance.json"
COLUMNS = ["file", "id", "sequence", "length"]


def check_apart(plan: Plan) -> None:
    """Refuse a sequence that is chosen twice: it is one file.

    Raises
    ------
    OptionError
    """
    rows, counts = np.unique(plan.rows, return_counts=True)
    if np.any(counts > 1):
        raise OptionError(f"rows=: names sequence {rows[counts > 1][0]} twice; expected each once, for one file each.")


def write(plan: Plan, write_one: Callable[..., object], suffix: str, folder: Path, *, as_table: bool) -> None:
    """Write every sequence, then the list of their files and the provenance.

    Parameters
    ----------
    plan : Plan
    write_one : callable
        Writes a table or arrays to a path.
    suffix : str
        Of every file.
    folder : Path
        Exists, and is empty.
    as_table : bool
        Whether a file holds a table.
    """
    names = SafeNames(suffix, taken=(MANIFEST, PROVENANCE))
    (folder / PROVENANCE).write_text(plan.stored.provenance, encoding="utf-8", errors="backslashreplace")
    with (folder / MANIFEST).open("w", encoding="utf-8", newline="") as file:
        manifest = csv.writer(file, lineterminator="\n")
        manifest.writerow(COLUMNS)
        for place, row in enumerate(plan.rows.tolist()):
            one = plan.of_one(place)
            [name] = ids_at(plan.stored, one.rows)
            made = names.of(str(name), row)
            content = replace(table_of(one), provenance="") if as_table else one_sequence(one)
            write_one(content, folder / made)
            manifest.writerow([made, name, row, int(plan.stored.shape.lengths[row])])


def is_export(folder: Path) -> bool:
    """Return whether a folder was made by ``write``."""
    try:
        with (folder / MANIFEST).open(encoding="utf-8", errors="replace") as file:
            begins = file.readline(100)
    except OSError:
        return False
    return begins == ",".join(COLUMNS) + "\n" and (folder / PROVENANCE).is_file()
