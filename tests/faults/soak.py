"""Kill the real command at random until it has finished, again and again, and compare every byte.

``python -m tests.faults.soak --kills 100 --seed 0`` prints what was killed when, and ends with 1 if anything differed.
The command records what is finished every tenth of a second in two runs of three, so that there is something to go on
with; in the third it is as it is.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import h5py
import numpy as np

from rnnstates.engines.compiled_engine import is_built
from rnnstates.output.journal_file import read_journal

from . import table
from .test_kills import moment_of

__all__ = ["soak"]

PLAIN = "from rnnstates_cli.main import main; import sys; sys.argv[0] = 'rnnstates'; main()"
QUICK = (
    "import rnnstates.extraction.extract as p; from rnnstates.output.recorder import Pace; p.PACE = Pace(0.1, 2**21); "
    + PLAIN
)
ENGINES = ("compiled", "numpy") if is_built() else ("numpy",)
MOST_KILLS = 6


def soak(kills, seed, place):
    """Kill so many processes of the command; gives what was counted."""
    draw, counts, number = random.Random(seed), Counter(), 0
    made = {engine: _reference(place, engine) for engine in ENGINES}
    while counts["kills"] < kills:
        engine = ENGINES[number % len(ENGINES)]
        counts += _one_job(place, engine, QUICK if number % 3 else PLAIN, made[engine], draw)
        number += 1
    return counts


def _command(script, engine):
    options = ("--lengths", "lengths.npy", "--units", "40", "--engine", engine, "--no-timestamps", "--progress", "none")
    return [sys.executable, "-c", script, "extract", "in.npy", "out.h5", *options]


def _start(place, script, engine):
    return subprocess.Popen(_command(script, engine), cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _reference(place, engine):
    """The bytes of an output that nothing happened to, and the seconds that it takes."""
    random_numbers = np.random.default_rng(0)
    if not (place / "in.npy").exists():
        lengths = random_numbers.integers(0, 101, 1500)
        np.save(place / "in.npy", random_numbers.normal(size=(1500, 100, 150)).astype(np.float32))
        np.save(place / "lengths.npy", lengths)
    began = time.monotonic()
    process = _start(place, PLAIN, engine)
    reported = process.communicate()[0]
    assert process.returncode == 0, reported
    whole = (place / "out.h5").read_bytes()
    (place / "out.h5").unlink()
    return whole, time.monotonic() - began


def _one_job(place, engine, script, reference, draw):
    """Kill until it is finished or enough; then finish it."""
    (whole, seconds), counts = reference, Counter(jobs=1)
    for attempt in range(MOST_KILLS):
        process = _start(place, script, engine)
        try:
            process.communicate(timeout=draw.uniform(0.1, 1.1) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        counts["runs"] += 1
        # 73: it was killed when there was nothing left to do.
        if process.returncode in (0, 73):
            break
        counts["kills"] += process.returncode == -signal.SIGKILL
        counts["mismatches"] += process.returncode != -signal.SIGKILL
        moment = moment_of(place)
        table.count("SIGKILL of the command", "M9" if attempt and moment == "M2" else moment)
        counts["mismatches"] += not _holds(place, whole)
    return counts + _finished(place, script, engine, whole)


def _finished(place, script, engine, whole):
    known = read_journal(place / "out.h5.journal")
    counts = Counter(runs=1)
    if known is not None:
        counts["windows recorded"] = len(known.windows)
        counts["windows computed again"] = known.header.windows - len(known.windows)
    process = _start(place, script, engine)
    reported = process.communicate()[0].decode()
    good = process.returncode == 0 or (process.returncode == 73 and "exists" in reported)
    same = good and (place / "out.h5").read_bytes() == whole
    counts["mismatches"] += not (same and sorted(os.listdir(place)) == ["in.npy", "lengths.npy", "out.h5"])
    if counts["mismatches"]:
        print(f"{process.returncode}: {reported}\n{sorted(os.listdir(place))}", file=sys.stderr)
    for path in place.glob("out.h5*"):
        path.unlink()
    return counts


def _holds(place, whole):
    """Whether the output is absent or complete, and what is unfinished opens."""
    partial, output = place / "out.h5.partial", place / "out.h5"
    if partial.exists():
        with h5py.File(partial, locking=False) as file:
            assert file["hidden"].shape[-1] == 40
    return not output.exists() or output.read_bytes() == whole


def main():
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        counts = soak(given.kills, given.seed, Path(directory))
    print(*table.lines(), sep="\n")
    counts["mismatches"] += 0
    print(*(f"{what}: {number}" for what, number in counts.items()), f"{time.monotonic() - began:.0f} s", sep="\n")
    sys.exit(1 if counts["mismatches"] else 0)


if __name__ == "__main__":
    main()
