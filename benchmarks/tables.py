"""Whether peak memory grows with a table of sequences: ``python benchmarks/tables.py [--small 200M] [--large 2G]``.

Writes float32 sequences of 1 to 127 steps of 64 features as a column of lists: Parquet in row groups of 10,000 rows and
in one for all, Arrow and Feather files in record batches of 1,000 rows. Runs rnnstates on each in a process of its own
(averages only, engine numpy) and compares the peaks of resident memory. Needs free disk for the large ones, one after
the other. Writes results/tables.md and .json.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet
import report
from child import RNNSTATES, Measured, markdown, measure
from memory import size

LONGEST, FEATURES, ROWS = 127, 64, 1000
KIND = pa.list_(pa.list_(pa.float32(), FEATURES))
SCHEMA = pa.schema([("inputs", KIND)])

INTRODUCTION = """# Memory: tables of sequences

{machine} {day}. MB are 10^6 bytes of resident memory, the whole process."""


def batches(wanted: int) -> Iterator[Any]:
    """Yield record batches of random sequences, about so many bytes in all."""
    random = np.random.RandomState(0)
    done = 0
    while done < wanted:
        offsets = np.concatenate([[0], np.cumsum(random.randint(1, LONGEST + 1, ROWS))]).astype(np.int32)
        values = random.standard_normal(offsets[-1] * FEATURES).astype(np.float32)
        steps = pa.FixedSizeListArray.from_arrays(pa.array(values), FEATURES)
        column = pa.ListArray.from_arrays(pa.array(offsets), steps).cast(KIND)
        yield pa.record_batch([column], schema=SCHEMA)
        done += values.nbytes


def write_parquet(path: Path, wanted: int, together: int) -> None:
    """Write row groups of so many batches; one for all if that is 0."""
    with parquet.ParquetWriter(path, SCHEMA) as file:
        if not together:
            file.write_table(pa.Table.from_batches(list(batches(wanted))), row_group_size=1 << 30)
            return
        held: list[Any] = []
        for batch in batches(wanted):
            held.append(batch)
            if len(held) == together:
                file.write_table(pa.Table.from_batches(held))
                held = []
        if held:
            file.write_table(pa.Table.from_batches(held))


def write_arrow(path: Path, wanted: int, compression: str | None) -> None:
    """Write a record batch per batch."""
    with ipc.new_file(path, SCHEMA, options=ipc.IpcWriteOptions(compression=compression)) as file:
        for batch in batches(wanted):
            file.write_batch(batch)


FILES: dict[str, Callable[[Path, int], None]] = {
    "Parquet, 10000 rows in a group": lambda path, wanted: write_parquet(path, wanted, 10),
    "Parquet, one group": lambda path, wanted: write_parquet(path, wanted, 0),
    "Arrow": lambda path, wanted: write_arrow(path, wanted, None),
    "Feather, lz4": lambda path, wanted: write_arrow(path, wanted, "lz4"),
}


def peak(folder: Path, name: str, wanted: int) -> Measured:
    """Write a file, and extract from it in a process of its own."""
    table, output = folder / "table", folder / "states.h5"
    FILES[name](table, wanted)
    command = [RNNSTATES, "extract", str(table), str(output), "--states", "none", "--engine", "numpy", "--force"]
    found = measure([*command, "--units", "8"], folder / "messages.txt")
    table.unlink()
    return found


def main() -> None:
    """Measure every kind of file in both sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", default="200M", help="bytes of values of the small tables (default: 200M)")
    parser.add_argument("--large", default="2G", help="bytes of values of the large tables (default: 2G)")
    parser.add_argument(
        "--files", default=",".join(map(str, range(len(FILES)))), help="which, by number (default: all)"
    )
    parser.add_argument("--folder", type=Path, help="where to put the tables meanwhile (default: the system's)")
    options = parser.parse_args()
    chosen = [list(FILES)[int(number)] for number in options.files.split(",")]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = {
            (name, text): peak(Path(folder), name, size(text))
            for name in chosen
            for text in (options.small, options.large)
        }
    rows = [[f"{name}, {text}", f"{run.peak_mb:.0f}", f"{run.seconds:.1f}"] for (name, text), run in found.items()]
    here = report.machine()
    introduction = INTRODUCTION.format(machine=report.about(here), day=report.today())
    content = {"machine": here, "jobs": {f"{name}, {text}": run._asdict() for (name, text), run in found.items()}}
    report.save("tables", f"{introduction}\n\n{markdown(['table', 'peak MB', 'seconds'], rows)}", content)


if __name__ == "__main__":
    main()
