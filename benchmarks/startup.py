"""How long small commands take, and the sample job whole: ``python benchmarks/startup.py [--runs 9]``.

Prints the median of several runs, taken in turns so that a busy moment of the machine hits all of them alike.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from child import RNNSTATES, Measured, markdown, measure

SAMPLE = Path(__file__).resolve().parent.parent / "sample_data"
BARE = "python -c pass"


def commands(output: Path) -> dict[str, list[str]]:
    """Say what is measured; ``output`` is where the sample job writes."""
    sample_job = [str(SAMPLE / "parens.h5"), str(output), "--weights", str(SAMPLE / "parens.keras"), "--force"]
    return {
        BARE: [sys.executable, "-c", "pass"],
        "rnnstates --help": [RNNSTATES, "--help"],
        "rnnstates extract --help": [RNNSTATES, "extract", "--help"],
        "rnnstates extract, the sample job": [RNNSTATES, "extract", *sample_job],
    }


def measure_in_turns(runs: int, folder: Path) -> dict[str, list[Measured]]:
    """Run everything ``runs`` times, after once unmeasured that fills the caches."""
    wanted = commands(folder / "states.h5")
    results: dict[str, list[Measured]] = {name: [] for name in wanted}
    for turn in range(runs + 1):
        for name, command in wanted.items():
            measured = measure(command, folder / "messages.txt")
            if turn:
                results[name].append(measured)
    return results


def table(results: dict[str, list[Measured]]) -> str:
    """Lay out medians, and how far each is above a bare Python."""
    seconds = {name: statistics.median(run.seconds for run in runs) for name, runs in results.items()}
    rows = []
    for name, runs in results.items():
        peak = statistics.median(run.peak_mb for run in runs)
        rows.append([name, f"{seconds[name]:.3f}", f"{seconds[name] - seconds[BARE]:+.3f}", f"{peak:.0f}"])
    return markdown(["command", "seconds", "above bare Python", "peak MB"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9, help="runs of each command (default: 9)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(table(measure_in_turns(options.runs, Path(folder))))


if __name__ == "__main__":
    main()
