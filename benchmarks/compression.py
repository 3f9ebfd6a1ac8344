"""What compressing an output costs and saves: ``python benchmarks/compression.py [--quick] [--folder DIR]``.

Two outputs, hidden and cell states of every step: texts of brackets through the trained network of sample_data (24
units), and random walks through a random network of 256 units. Each is repacked with every compression, computed
with it, and read back sequence by sequence, each in a process of its own. Needs four times the disk of the larger
output; removes everything at the end. Writes results/compression.md and .json.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import report
from child import Measured, markdown, measure

import rnnstates

ROOT = Path(__file__).resolve().parent.parent
TRAINED = ROOT / "sample_data" / "parens.keras"
COMMAND = [sys.executable, "-m", "rnnstates"]
READING = """
import sys, rnnstates
with rnnstates.open(sys.argv[1]) as states:
    for sequence in states:
        sequence.hidden, sequence.cell
"""

INTRODUCTION = """# Compression: what it saves and costs

{machine} {day}. `MB` is what the file takes on disk; `repack` is the time of `rnnstates repack`
from the uncompressed output, `extract` that of a run with `--compression`, which holds both files on the disk in the
end; `read` is every state of every sequence, one at a time, from a warm cache; `peak` is the most memory that `repack`
held (10^6 bytes)."""


def brackets(folder: Path, count: int) -> list[str]:
    """Write texts of brackets as token ids; return the arguments of ``extract``."""
    sys.path.insert(0, str(TRAINED.parent))
    from make import bracket_texts, tokens

    texts = bracket_texts(7, count)
    with h5py.File(folder / "brackets.h5", "w") as file:
        file["inputs"], file["lengths"] = tokens(texts), np.array([len(text) for text in texts])
    return [str(folder / "brackets.h5"), "--weights", str(TRAINED)]


def walks(folder: Path, count: int) -> list[str]:
    """Write random walks of up to 1000 steps in 16 features."""
    random = np.random.RandomState(0)
    inputs = np.lib.format.open_memmap(folder / "walks.npy", "w+", np.float32, (count, 1000, 16))
    for row in inputs:
        row[...] = np.cumsum(random.standard_normal((1000, 16)) * 0.1, axis=0)
    np.save(folder / "lengths.npy", random.randint(0, 1001, count))
    return [str(folder / "walks.npy"), "--lengths", str(folder / "lengths.npy"), "--units", "256"]


def megabytes(path: Path) -> float:
    """Return what a file takes on disk."""
    return path.stat().st_blocks * 512 / 1e6


def median(command: Sequence[str], folder: Path, runs: int) -> Measured:
    """Run a command several times; take the medians."""
    found = [measure([*command], folder / "messages") for _ in range(runs)]
    return Measured(*(float(np.median(values)) for values in zip(*found, strict=True)))


def measured(given: list[str], folder: Path, runs: int) -> list[dict[str, Any]]:
    """Measure every compression of one output."""
    plain, new = folder / "plain.h5", folder / "new.h5"
    measure([*COMMAND, "extract", given[0], str(plain), *given[1:], "--quiet"], folder / "messages")
    rows = []
    for name in rnnstates.COMPRESSIONS:
        extract = [*COMMAND, "extract", given[0], str(new), *given[1:], "--quiet", "--force", "--compression", name]
        repack = [*COMMAND, "repack", str(plain), str(new), "--quiet", "--force", "--compression", name]
        computed, repacked = median(extract, folder, runs), median(repack, folder, runs)
        reading = median([sys.executable, "-c", READING, str(new)], folder, runs)
        rows.append({
            "compression": name, "MB": megabytes(new), "of": megabytes(new) / megabytes(plain),
            "repack": repacked.seconds, "extract": computed.seconds, "read": reading.seconds, "peak": repacked.peak_mb,
        })  # fmt: skip
    return rows


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """Lay out a row per output and compression."""
    head = ["output", "compression", "MB", "of none", "repack, s", "extract, s", "read, s", "peak MB"]
    rows = [
        [
            job, row["compression"], f"{row['MB']:.0f}", f"{row['of']:.2f}",
            *(f"{row[name]:.1f}" for name in ("repack", "extract", "read")), f"{row['peak']:.0f}",
        ]
        for job, rows in found.items()
        for row in rows
    ]  # fmt: skip
    return markdown(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a twentieth of the sequences")
    parser.add_argument("--runs", type=int, default=1, help="runs of each (default: 1)")
    parser.add_argument("--folder", type=Path, help="where to put files meanwhile (default: the system's)")
    options = parser.parse_args()
    share = 20 if options.quick else 1
    found = {}
    for job, make, count in (("trained, 24 units", brackets, 100_000), ("random, 256 units", walks, 2000)):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            found[job] = measured(make(Path(folder), count // share), Path(folder), options.runs)
    here = report.machine()
    introduction = INTRODUCTION.format(machine=report.about(here), day=report.today())
    report.save("compression", f"{introduction}\n\n{table(found)}", {"machine": here, "jobs": found})


if __name__ == "__main__":
    main()
