"""The table of whole commands."""

from collections.abc import Mapping
from statistics import median
from typing import Any, NamedTuple

from bound import Bound
from cases import Case
from child import Measured, markdown

HEAD = ("seconds: median (least to most)", "gives", "", "peak MB", "share of the bound", "largest difference")


class Row(NamedTuple):
    """What came of one command: its runs, or why there are none."""

    gives: str
    runs: list[Measured]
    difference: float | None = None
    failed: str = ""

    @property
    def seconds(self) -> float:
        """Median."""
        return median(run.seconds for run in self.runs)


def text(case: Case, rows: Mapping[str, Row], limits: Mapping[str, Bound]) -> str:
    """Write about one case."""
    table = markdown(HEAD, [[name, *_cells(row, limits.get(name))] for name, row in rows.items()])
    details = [f"- {name} {limit}" for name, limit in limits.items()]
    return "\n\n".join([f"## {case.title}", table, "\n".join([*_ratios(rows), *details])])


def _cells(row: Row, limit: Bound | None) -> list[str]:
    if not row.runs:
        return [row.gives, row.failed, "", "", ""]
    seconds = sorted(run.seconds for run in row.runs)
    spread = f"{row.seconds:.2f} ({seconds[0]:.2f} to {seconds[-1]:.2f})"
    peak = f"{median(run.peak_mb for run in row.runs):.0f}"
    return [row.gives, spread, peak, f"{row.seconds / limit.seconds:.2f}" if limit else "", f"{row.difference:.1e}"]


def _ratios(rows: Mapping[str, Row]) -> list[str]:
    """Say how many times as fast ``auto`` is as the fastest scripts."""
    own = rows["rnnstates auto"]
    lines = []
    for words, kinds in {"that gives c and h": ("c+h",), "of all": ("c+h", "h")}.items():
        able = {n: r for n, r in rows.items() if n.endswith("script") and r.gives in kinds and r.runs}
        if own.runs and able:
            best = min(able, key=lambda name: able[name].seconds)
            lines.append(
                f"- {able[best].seconds / own.seconds:.2f} times as fast as the fastest script {words}, {best}"
            )
    return lines


def as_json(rows: Mapping[str, Row], limits: Mapping[str, Bound]) -> dict[str, Any]:
    """Every run of every command, and the bounds."""
    runs = {name: row._asdict() | {"runs": [run._asdict() for run in row.runs]} for name, row in rows.items()}
    return {"commands": runs, "bounds": {name: limit._asdict() for name, limit in limits.items()}}
