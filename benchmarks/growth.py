"""Whether cost grows linearly in valid steps: ``python benchmarks/growth.py [--runs 5] [--decades 4]``.

Also ``--first 1000`` (the fewest valid steps), ``--engines numpy,tensorflow`` (default: all), ``--quick`` (two
decades). Extracts averages from sequences of 10 to 100 steps, twice a decade, sizes taken in turns, and fits
seconds = start + factor * steps ** exponent over all of them. Writes results/growth.md and .json.
"""

import argparse
import os
import statistics
import time
from collections.abc import Mapping, Sequence

import numpy as np
import report
from child import markdown
from ours import ENVIRONMENT

os.environ.update(ENVIRONMENT)
import rnnstates

FEATURES, UNITS, STEPS = 16, 64, 100
EXPONENTS = np.linspace(0.3, 1.7, 2801)

INTRODUCTION = """# Growth: seconds against valid steps

{machine} {day}. {features} features, {units} units, averages of hidden and cell states, {runs} rounds.
`exponent` fits seconds = start + factor * steps ** exponent over {decades} decades, all sizes weighing alike.
`slope` is that of log seconds over the upper half of the sizes, with nothing taken off."""


def data(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw ragged sequences of ``steps`` valid steps in all; inputs float32 [N, T, I]."""
    random = np.random.RandomState(0)
    lengths = random.randint(STEPS // 10, STEPS + 1, steps // (STEPS // 10) + 1)
    ends = np.cumsum(lengths)
    lengths = lengths[: np.searchsorted(ends, steps) + 1]
    lengths[-1] -= lengths.sum() - steps
    inputs = np.empty((len(lengths), STEPS, FEATURES), np.float32)
    inputs[:] = random.standard_normal((STEPS, FEATURES))
    return inputs, lengths


def seconds(steps: Sequence[int], engine: str, runs: int) -> dict[int, list[float]]:
    """Time every size ``runs`` times in turns, after once that does not count."""
    network = rnnstates.random_network(FEATURES, units=UNITS)
    made = {count: data(count) for count in steps}
    found: dict[int, list[float]] = {count: [] for count in steps}
    for turn in range(runs + 1):
        for count, (inputs, lengths) in made.items():
            clock = time.perf_counter()
            rnnstates.extract(inputs, lengths, weights=network, states=None, pool="mean,last", engine=engine)
            if turn:
                found[count].append(time.perf_counter() - clock)
    return found


def fit(steps: Sequence[int], taken: Sequence[float]) -> tuple[float, float, float]:
    """Fit start, factor and exponent by least squares of the relative errors.

    Examples
    --------
    >>> fit([10, 100, 1000, 10000], [0.1 + 2.0 * s for s in (10, 100, 1000, 10000)])[2].round(3)
    np.float64(1.0)
    """
    counts, times = np.asarray(steps, float), np.asarray(taken)

    def fitted(exponent: float) -> tuple[float, float, float, float]:
        terms = np.stack([np.ones_like(counts), counts**exponent], axis=1) / times[:, np.newaxis]
        (start, factor), *_ = np.linalg.lstsq(terms, np.ones_like(counts), rcond=None)
        return float(((terms @ [start, factor] - 1) ** 2).sum()), start, factor, exponent

    return min(fitted(exponent) for exponent in EXPONENTS)[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, help="rounds (default: 5; 3 with --quick)")
    parser.add_argument("--first", type=int, default=1000, help="the fewest valid steps (default: 1000)")
    parser.add_argument("--decades", type=int, help="how far up (default: 4; 2 with --quick)")
    parser.add_argument("--engines", default=",".join(rnnstates.ENGINES), help="default: all of them")
    parser.add_argument("--quick", action="store_true", help="two decades")
    parser.add_argument("--name", default="growth", help="of the files in results/ (default: growth)")
    options = parser.parse_args()
    runs = options.runs or (3 if options.quick else 5)
    decades = options.decades or (2 if options.quick else 4)
    steps = [round(options.first * 10 ** (half / 2)) for half in range(2 * decades + 1)]
    results = {engine: seconds(steps, engine, runs) for engine in options.engines.split(",")}
    rows = [[engine, *line(steps, found)] for engine, found in results.items()]
    head = ["engine", "exponent", "slope", "start, ms", *(f"µs a step at {count}" for count in steps)]
    here = report.machine()
    introduction = INTRODUCTION.format(
        machine=report.about(here), day=report.today(), features=FEATURES, units=UNITS, runs=runs, decades=decades
    )
    exponents = {row[0]: float(row[1]) for row in rows}
    content = {"machine": here, "seconds": results, "exponents": exponents}
    report.save(options.name, f"{introduction}\n\n{markdown(head, rows)}", content)


def line(steps: Sequence[int], found: Mapping[int, Sequence[float]]) -> list[str]:
    """Give an engine's cells: exponent, slope, start, and the time of a step at each size."""
    medians = [statistics.median(found[count]) for count in steps]
    start, _, exponent = fit(steps, medians)
    upper = len(steps) // 2
    slope = np.polyfit(np.log(steps[upper:]), np.log(medians[upper:]), 1)[0]
    times = [f"{1e6 * taken / count:.2f}" for count, taken in zip(steps, medians, strict=True)]
    return [f"{exponent:.3f}", f"{slope:.3f}", f"{1000 * start:.1f}", *times]


if __name__ == "__main__":
    main()
