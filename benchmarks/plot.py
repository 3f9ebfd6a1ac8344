"""The plot of docs/engines.md: the rate of products against the number of units."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cases
import report
from timing import Outcome

OURS, LIMIT = "rnnstates auto", "products alone"


class Line(NamedTuple):
    """A contestant: its label, and 10^9 operations a second by units, batched as it is fastest and in one batch."""

    label: str
    fastest: dict[int, float]
    in_one_batch: dict[int, float]


def draw(table: report.Table, path: Path) -> None:
    """Draw ours and each peer, dotted where it gets all sequences in one batch, and the faster of the limits."""
    from matplotlib import pyplot

    # Names of clip paths are random without it, and the file would change with every run.
    pyplot.rcParams["svg.hashsalt"] = "rnnstates"
    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    for line in lines(table):
        look = {OURS: {"linewidth": 3, "color": "black"}, LIMIT: {"linestyle": "--", "color": "grey"}}
        (drawn,) = axes.plot(
            *zip(*line.fastest.items(), strict=True), marker="o", label=line.label, **look.get(line.label[:14], {})
        )
        if line.in_one_batch:
            axes.plot(*zip(*line.in_one_batch.items(), strict=True), ":", marker=".", color=drawn.get_color())
    axes.plot([], [], ":", marker=".", color="grey", label="dotted: in one batch")
    axes.set(xscale="log", xlabel="units", ylabel="GFLOP/s in matrix products", ylim=(0, None))
    units = sorted({cases.CASES[case].units for case in table})
    axes.set_xticks(units, [str(count) for count in units])
    axes.minorticks_off()
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def lines(table: report.Table) -> Iterator[Line]:
    """Give a line for our ``auto``, for each exact peer, and for the limit."""
    names = [outcome.name for outcome in next(iter(table.values()))]
    for name in names:
        found = {case: outcome for case, all_of_it in table.items() for outcome in all_of_it if outcome.name == name}
        first = next(iter(found.values()))
        if first.exact and first.gives != "limit" and (name == OURS or not name.startswith("rnnstates")):
            yield Line(f"{name} ({first.gives})", *_rates(found, own=name == OURS))
    limits = {case: limit for case, outcomes in table.items() if (limit := report.fastest(outcomes, ("limit",)))}
    yield Line(LIMIT, _rates(limits, own=True)[0], {})


def _rates(found: Mapping[str, Outcome], *, own: bool) -> tuple[dict[int, float], dict[int, float]]:
    fastest = {case: outcome.seconds for case, outcome in found.items() if outcome.seconds}
    batch = {case: outcome.batch_seconds for case, outcome in found.items() if outcome.batch_seconds and not own}
    return _by_units(fastest), _by_units(batch)


def _by_units(seconds: Mapping[str, Sequence[float]]) -> dict[int, float]:
    return {cases.CASES[case].units: rate(cases.CASES[case], of_case) for case, of_case in seconds.items()}


def rate(case: cases.Case, seconds: Sequence[float]) -> float:
    """Give the 10^9 floating-point operations a second in the matrix products of a case, from the median."""
    operations = 2.0 * cases.valid_steps(case) * (case.features + case.units) * 4 * case.units
    return operations / statistics.median(seconds) / 1e9
