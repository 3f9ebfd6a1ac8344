"""Whole commands of the last commit beside those of an earlier commit: ``python benchmarks/before.py [COMMIT]``.

Also ``--cases small,medium,large``, ``--runs 21``, ``--folder``. Both are installed without their dependencies into
folders of their own, so that the same Python runs both; they take turns, each beginning every other round. Writes
results/before.md and .json. The default COMMIT is the last that wrote files without a journal.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cases
import report
from cases import CASES
from child import markdown, measure

BEFORE = "56d63d1"
ROOT = Path(__file__).parent.parent

INTRODUCTION = """# Whole commands now and at {commit}

{machine} {day}. `rnnstates extract` of the same input to a file on disk, processes in turns, {runs} rounds after one
that is not counted. The ratio is that of the medians, now to then; below it that of the least."""


def install(commit: str, target: Path) -> None:
    """Install a commit into a folder of its own."""
    source = target / "source"
    source.mkdir(parents=True)
    archive = ["git", "-C", str(ROOT), "archive", commit]
    packed = subprocess.run(archive, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(source)], input=packed, check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--compile"]
    subprocess.run([*pip, "--target", str(target / "site"), str(source)], check=True)


def command(site: Path, folder: Path, output: Path) -> list[str]:
    """Give the command that an installation runs."""
    start = f"import sys; sys.path.insert(0, {str(site)!r}); from rnnstates_cli.main import main; main()"
    words = [str(folder / "inputs.npy"), str(output), "--lengths", str(folder / "lengths.npy")]
    weights = ["--weights", str(folder / "weights.npz"), "--convention", "keras"]
    return [sys.executable, "-c", start, "extract", *words, *weights, "--progress", "none"]


def contest(sites: Mapping[str, Path], folder: Path, runs: int) -> dict[str, list[float]]:
    """Time every installation in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in sites}
    for number in range(runs + 1):
        for name, site in list(sites.items())[:: 1 if number % 2 else -1]:
            output = folder / "out.h5"
            found = measure(command(site, folder, output), folder / "messages").seconds
            output.unlink()
            if number:
                seconds[name].append(found)
            time.sleep(0.05)
    return seconds


def row(name: str, seconds: Mapping[str, Sequence[float]]) -> list[str]:
    """Write a line of the table."""
    then, now = seconds["then"], seconds["now"]
    ratio, least = statistics.median(now) / statistics.median(then), min(now) / min(then)
    spans = (f"{statistics.median(found):.3f} ({min(found):.3f} to {max(found):.3f})" for found in (then, now))
    return [name, *spans, f"{ratio:.3f}", f"{least:.3f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commit", nargs="?", default=BEFORE)
    parser.add_argument("--cases", default="small,medium")
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--folder", default=None)
    wanted = parser.parse_args()
    with TemporaryDirectory(dir=wanted.folder) as place:
        sites = {"then": Path(place, "then"), "now": Path(place, "now")}
        for name, commit in (("then", wanted.commit), ("now", "HEAD")):
            install(commit, sites[name])
        found = {}
        for name in wanted.cases.split(","):
            folder = Path(place, name)
            folder.mkdir()
            cases.write(CASES[name], folder)
            found[name] = contest({which: site / "site" for which, site in sites.items()}, folder, wanted.runs)
            print(*row(name, found[name]), flush=True)
    head = ["case", "then, s", "now, s", "ratio", "of the least"]
    here = report.machine()
    introduction = INTRODUCTION.format(
        commit=wanted.commit, machine=report.about(here), day=report.today(), runs=wanted.runs
    )
    table = markdown(head, [row(name, seconds) for name, seconds in found.items()])
    report.save("before", f"{introduction}\n\n{table}\n", {"machine": here, "commit": wanted.commit, "seconds": found})


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
