"""Memory and time of ``rnnstates export`` into every format: ``python benchmarks/exporting.py [--sequences 16384]``.

Also ``--formats .npy,.csv`` (default: all), ``--folder``, ``--name``. Makes states of 256 steps and 64 units (hidden
and cell, 2.1 GB for 16384 sequences of full length, with ids), and exports them, each format in a process of its own;
then the padded layout from a packed output, the packed one from a padded output, and two long sequences. Removes
everything at the end. Writes results/exporting.md and .json.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import report
from child import Measured, markdown, measure

import rnnstates

STEPS, UNITS, FEATURES = 256, 64, 2
COMMAND = [sys.executable, "-m", "rnnstates_cli.main", "export"]
# The array formats also change the layout.
OTHER_LAYOUTS = (".npy", ".zarr", ".mat")

INTRODUCTION = """# Memory: the most that an export holds

{machine} {day}. Exported are `hidden` and `cell` (`hidden` alone to .npy) of {sequences} sequences, {megabytes:.0f} MB.
MB are 10^6 bytes of resident memory, the whole process."""


def make_states(path: Path, sequences: int, steps: int, layout: str = "padded") -> Path:
    """Write a states file of sequences of full length."""
    inputs = np.lib.format.open_memmap(path.with_suffix(".npy"), "w+", np.float32, (sequences, steps, FEATURES))
    inputs[:] = np.random.RandomState(0).standard_normal((1, steps, FEATURES))
    inputs[:, 0] = np.random.RandomState(1).standard_normal((sequences, FEATURES))
    ids = [f"sequence {number}" for number in range(sequences)]
    rnnstates.extract(inputs, "full", units=UNITS, ids=ids, output=path, layout=layout, memory="2G").close()
    path.with_suffix(".npy").unlink()
    return path


def export(states: Path, suffix: str, *options: str) -> Measured:
    """Export to one format, and remove what was made."""
    made = states.with_name(f"made{suffix}")
    datasets = "hidden" if suffix == ".npy" else "hidden,cell"
    try:
        command = [*COMMAND, str(states), str(made), "--datasets", datasets, *options]
        found = measure(command, states.with_suffix(".txt"))
        print(suffix, *options, found, file=sys.stderr)
        return found
    finally:
        shutil.rmtree(made) if made.is_dir() else made.unlink(missing_ok=True)


def measure_all(options: argparse.Namespace, folder: Path) -> dict[str, Measured]:
    """Run every export, one states file on the disk at a time."""
    formats, count = options.formats.split(","), options.sequences
    changing = [suffix for suffix in formats if suffix in OTHER_LAYOUTS]
    states = make_states(folder / "padded.h5", count, STEPS)
    found = {suffix: export(states, suffix) for suffix in formats}
    found |= {f"{suffix}, packed from padded": export(states, suffix, "--layout", "packed") for suffix in changing}
    states.unlink()
    if not changing:
        return found
    states = make_states(folder / "packed.h5", count, STEPS, "packed")
    found |= {f"{suffix}, padded from packed": export(states, suffix, "--layout", "padded") for suffix in changing}
    states.unlink()
    states = make_states(folder / "long.h5", 2, count * STEPS // 2)
    found |= {f"{suffix}, two sequences": export(states, suffix) for suffix in changing}
    states.unlink()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=16384, help="default: 16384, which is 2.1 GB")
    parser.add_argument("--formats", default=",".join(rnnstates.EXPORTERS), help="default: all of them")
    parser.add_argument("--folder", type=Path, help="where to put the files meanwhile (default: the system's)")
    parser.add_argument("--name", default="exporting", help="of the files in results/ (default: exporting)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = measure_all(options, Path(folder))
    here = report.machine()
    megabytes = options.sequences * STEPS * UNITS * 8 / 1e6
    introduction = INTRODUCTION.format(
        machine=report.about(here), day=report.today(), sequences=options.sequences, megabytes=megabytes
    )
    rows = [[name, f"{run.peak_mb:.0f}", f"{run.seconds:.1f}"] for name, run in found.items()]
    text = f"{introduction}\n\n{markdown(['format', 'peak MB', 'seconds'], rows)}"
    report.save(options.name, text, {"machine": here, "exports": found})


if __name__ == "__main__":
    main()
