"""Whether peak memory grows with the input: ``python benchmarks/memory.py [--small 200M] [--large 4G]``.

Writes a small and a large float32 input [N, 64, 256], runs rnnstates on each in a process of its own and prints the
peaks of resident memory beside each other. Needs free disk for the large one; removes everything at the end.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from child import RNNSTATES, Measured, markdown, measure

STEPS, FEATURES = 64, 256
ROW_BYTES = STEPS * FEATURES * 4
BLOCK_ROWS = 256
SIZES = {"M": 10**6, "G": 10**9}

# What is run on each input, by the name in the table.
JOBS = {
    "averages only": ["--states", "none"],
    "hidden, packed, 8 units": ["--states", "hidden", "--units", "8", "--layout", "packed"],
}


def size(text: str) -> int:
    """Read ``200M`` or ``4G``."""
    return int(float(text[:-1]) * SIZES[text[-1]])


def make_input(folder: Path, name: str) -> tuple[Path, Path]:
    """Write an input of the size ``name`` and its lengths; every block holds the same random numbers."""
    rows = size(name) // ROW_BYTES
    random = np.random.RandomState(0)
    block = random.standard_normal((BLOCK_ROWS, STEPS, FEATURES)).astype(np.float32)
    inputs, lengths = folder / f"{name}.npy", folder / f"{name}_lengths.npy"
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, STEPS, FEATURES)}
    with inputs.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, rows, BLOCK_ROWS):
            file.write(block[: rows - start].tobytes())
    np.save(lengths, random.randint(1, STEPS + 1, rows))
    return inputs, lengths


def run(data: tuple[Path, Path], *, engine: str, job: str) -> Measured:
    """Extract from one input in a process of its own."""
    inputs, lengths = data
    output = inputs.with_suffix(".states.h5")
    command = [RNNSTATES, "extract", str(inputs), str(output), "--lengths", str(lengths), "--engine", engine, "--force"]
    try:
        return measure([*command, *JOBS[job]], inputs.with_suffix(".txt"))
    finally:
        output.unlink(missing_ok=True)


def compare(folder: Path, *, small: str, large: str, engines: list[str]) -> str:
    """Run every job with every engine on both inputs."""
    data = {text: make_input(folder, text) for text in (small, large)}
    rows = []
    for job in JOBS:
        for engine in engines:
            peaks = {text: run(data[text], engine=engine, job=job) for text in data}
            few, many = peaks[small], peaks[large]
            ratio = many.peak_mb / few.peak_mb
            memory = [f"{few.peak_mb:.0f}", f"{many.peak_mb:.0f}", f"{ratio:.3f}"]
            rows.append([f"{job}, {engine}", *memory, f"{few.seconds:.1f}", f"{many.seconds:.1f}"])
    head = ["job", f"peak MB at {small}", f"peak MB at {large}", "ratio", f"seconds at {small}", f"seconds at {large}"]
    return markdown(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", default="200M", help="size of the small input (default: 200M)")
    parser.add_argument("--large", default="4G", help="size of the large input (default: 4G)")
    parser.add_argument("--engines", default="numpy,tensorflow", help="default: numpy,tensorflow")
    parser.add_argument("--folder", type=Path, help="where to put the inputs meanwhile (default: the system's)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(compare(Path(folder), small=options.small, large=options.large, engines=options.engines.split(",")))


if __name__ == "__main__":
    main()
