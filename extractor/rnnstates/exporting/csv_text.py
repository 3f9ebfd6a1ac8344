"""Writes ``.csv``: UTF-8, one line per row, numbers with as many digits as read back to the same bits."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from .content import Block, Column, Table

__all__ = ["write"]

# Significant digits from which a number of so many bytes is read back exactly.
DIGITS = {2: 5, 4: 9, 8: 17}
# Text takes more memory than numbers: rows of the block that are written at once.
LINES_AT_ONCE = 4096


def write(table: Table, path: Path) -> None:
    """Write a header and every row."""
    line = ",".join(["%s"] * len(table.keys) + [_template(column) for column in table.columns]) + "\n"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow([column.name for column in (*table.keys, *table.columns)])
        for block in table.blocks():
            _write_block(file, block, line)


def _write_block(file: io.TextIOBase, block: Block, line: str) -> None:
    keys = [[_quoted(key) if isinstance(key, str) else key for key in column] for column in block.keys]
    for first in range(0, len(block.keys[0]), LINES_AT_ONCE):
        some = slice(first, first + LINES_AT_ONCE)
        rows = zip(*(column[some] for column in keys), strict=True)
        values = zip(*(array[some].tolist() for array in block.values), strict=True)
        file.writelines(line % (*row, *_flat(numbers)) for row, numbers in zip(rows, values, strict=True))


def _flat(lists: tuple[Any, ...]) -> list[Any]:
    return [number for one in lists for number in (one if isinstance(one, list) else [one])]


def _quoted(text: str) -> str:
    """Quote a text as the module csv does."""
    if not any(special in text for special in ',"\r\n'):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _template(column: Column) -> str:
    dtype = np.dtype(column.dtype)
    return f"%.{DIGITS[dtype.itemsize]}g" if dtype.kind == "f" else "%d"
