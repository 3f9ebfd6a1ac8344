"""Whether peak memory grows with the input: ``python benchmarks/memory.py [--small 200M] [--large 20G]``.

Also ``--long 1000000`` (steps of one sequence; 0 leaves it out), ``--engines numpy,tensorflow`` (default: all),
``--runs 1``, ``--quick`` (50M, 500M, 100000 steps), ``--folder``. Writes float32 inputs [N, 64, 256] and [1, T, 32],
runs rnnstates on each in a process of its own and compares the peaks of resident memory, also with that of a Python
that starts TensorFlow and does nothing. Needs free disk for the large input; removes everything at the end. Writes
results/memory.md and .json.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import report
from child import RNNSTATES, Measured, markdown, measure

import rnnstates

STEPS, FEATURES, LONG_FEATURES = 64, 256, 32
BLOCK_BYTES = 1 << 24
SIZES = {"M": 10**6, "G": 10**9}
GIB = 2**30 / 1e6

# What is run on each input, by the name in the table.
JOBS = {
    "averages only": ["--states", "none"],
    "hidden, packed, 8 units": ["--states", "hidden", "--units", "8", "--layout", "packed"],
}
LONG_JOBS = {"hidden and cell, 64 units": ["--units", "64"]}
BARE = "import tensorflow; tensorflow.config.list_physical_devices(); tensorflow.constant(1.0)"

INTRODUCTION = """# Memory: the most that a run holds

{machine} {day}. MB are 10^6 bytes of resident memory, the whole process. A Python that starts TensorFlow and does
nothing holds {bare:.0f} MB in the same run; `beside TensorFlow` is what is above it (1 GiB is {gib:.0f} MB)."""


def size(text: str) -> int:
    """Read ``200M`` or ``20G``."""
    return int(float(text[:-1]) * SIZES[text[-1]])


def make_input(folder: Path, name: str, shape: tuple[int, int, int]) -> Path:
    """Write an input of float32 [N, T, I] and its lengths; the same random numbers again and again."""
    random = np.random.RandomState(0)
    block = random.standard_normal(BLOCK_BYTES // 4).astype(np.float32).tobytes()
    inputs = folder / f"{name}.npy"
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    left = 4 * int(np.prod(shape, dtype=np.int64))
    with inputs.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, left, BLOCK_BYTES):
            file.write(block[: left - start])
    # One sequence alone is as long as it can be.
    shortest = 1 if shape[0] > 1 else shape[1]
    np.save(folder / f"{name}_lengths.npy", random.randint(shortest, shape[1] + 1, shape[0]))
    return inputs


def peaks(inputs: Path, options: Sequence[str], *, engines: Sequence[str], runs: int) -> dict[str, Measured]:
    """Extract with each engine in a process of its own; medians."""
    output = inputs.with_suffix(".states.h5")
    lengths = inputs.with_name(f"{inputs.stem}_lengths.npy")
    command = [RNNSTATES, "extract", str(inputs), str(output), "--lengths", str(lengths), "--force", *options]
    try:
        return {engine: median([*command, "--engine", engine], inputs.with_suffix(".txt"), runs) for engine in engines}
    finally:
        output.unlink(missing_ok=True)


def median(command: Sequence[str], messages: Path, runs: int) -> Measured:
    """Take the medians of several runs."""
    measured = [measure(command, messages) for _ in range(runs)]
    return Measured(*(statistics.median(values) for values in zip(*measured, strict=True)))


def measure_all(options: argparse.Namespace, folder: Path) -> dict[str, dict[str, Measured]]:
    """Run every job on every input, one input on the disk at a time: from ``job, input`` to the engines' peaks."""
    shapes = {text: (size(text) // (4 * STEPS * FEATURES), STEPS, FEATURES) for text in (options.small, options.large)}
    jobs = dict.fromkeys(shapes, JOBS)
    if options.long:
        shapes[f"{options.long} steps"] = (1, options.long, LONG_FEATURES)
        jobs[f"{options.long} steps"] = LONG_JOBS
    found = {}
    for text, shape in shapes.items():
        inputs = make_input(folder, text.replace(" ", "_"), shape)
        for job, words in jobs[text].items():
            found[f"{job}, {text}"] = peaks(inputs, words, engines=options.engines.split(","), runs=options.runs)
        inputs.unlink()
    return found


def table(found: dict[str, dict[str, Measured]], bare: float) -> str:
    """Lay out a row a job, input and engine."""
    rows = [
        [job, engine, f"{run.peak_mb:.0f}", f"{max(0.0, run.peak_mb - bare):.0f}", f"{run.seconds:.1f}"]
        for job, engines in found.items()
        for engine, run in engines.items()
    ]
    return markdown(["job, input", "engine", "peak MB", "beside TensorFlow, MB", "seconds"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", default="200M", help="size of the small input (default: 200M)")
    parser.add_argument("--large", default="20G", help="size of the large input (default: 20G)")
    parser.add_argument("--long", type=int, default=10**6, help="steps of one long sequence (default: 1000000)")
    parser.add_argument("--engines", default=",".join(rnnstates.ENGINES), help="default: all of them")
    parser.add_argument("--runs", type=int, default=1, help="runs of each (default: 1)")
    parser.add_argument("--quick", action="store_true", help="smaller inputs")
    parser.add_argument("--folder", type=Path, help="where to put the inputs meanwhile (default: the system's)")
    parser.add_argument("--name", default="memory", help="of the files in results/ (default: memory)")
    options = parser.parse_args()
    if options.quick:
        options.small, options.large, options.long = "50M", "500M", 10**5
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        bare = median([sys.executable, "-c", BARE], Path(folder) / "bare.txt", options.runs).peak_mb
        found = measure_all(options, Path(folder))
    here = report.machine()
    introduction = INTRODUCTION.format(machine=report.about(here), day=report.today(), bare=bare, gib=GIB)
    content = {"machine": here, "bare_tensorflow_mb": bare, "jobs": found}
    report.save(options.name, f"{introduction}\n\n{table(found, bare)}", content)


if __name__ == "__main__":
    main()
