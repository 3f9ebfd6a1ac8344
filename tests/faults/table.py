"""Counts the cases of each cell of faults and moments, for ``--fault-table``."""

from collections import Counter

__all__ = ["CELLS", "MOMENTS", "count", "lines"]

MOMENTS = {
    "M0": "validate", "M1": "create", "M2": "compute", "M3": "write", "M4": "before journal", "M5": "in journal",
    "M6": "finalise", "M7": "named", "M9": "resuming",
}  # fmt: skip
CELLS: Counter[tuple[str, str]] = Counter()


def count(fault, moment, cases=1):
    """Note cases that ran; a moment as in MOMENTS."""
    assert moment in MOMENTS
    CELLS[fault, moment] += cases


def lines(cells=CELLS):
    """Yield the table line by line."""
    faults = list(dict.fromkeys(fault for fault, _ in cells))
    width = max(map(len, faults), default=0)
    yield " " * width + "".join(f"{moment:>8}" for moment in MOMENTS) + "     all"
    for fault in faults:
        row = [cells[fault, moment] for moment in MOMENTS]
        yield f"{fault:{width}}" + "".join(f"{number or '-':>8}" for number in row) + f"{sum(row):>8}"
    total = [sum(cells[fault, moment] for fault in faults) for moment in MOMENTS]
    yield f"{'all':{width}}" + "".join(f"{number:>8}" for number in total) + f"{sum(total):>8}"
