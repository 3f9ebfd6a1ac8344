"""Whether peak memory grows with the input, for every form of one: ``python benchmarks/forms.py [--large 2G]``.

Writes float32 sequences of 1 to 127 steps of 64 features in each form, about ``--small`` and about ``--large`` bytes of
values, one file after the other, and runs rnnstates on each in a process of its own (averages only, engine numpy).
Compares the peaks of resident memory. Writes results/forms.md and .json.
"""

import argparse
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet
import report
import zarr
from child import RNNSTATES, Measured, markdown, measure
from memory import size

import rnnstates

LONGEST, FEATURES, ROWS = 127, 64, 1000
KIND = pa.list_(pa.list_(pa.float32(), FEATURES))
SCHEMA = pa.schema([("inputs", KIND)])
OPTIONS = ("--states", "none", "--engine", "numpy", "--force", "--units", "8", "--progress", "none")
# What a program does that has a generator.
GENERATOR = """
import sys, h5py, rnnstates
with h5py.File(sys.argv[1]) as file:
    rows = (file["inputs"][start:stop] for start, stop in zip(file["offsets"][:-1], file["offsets"][1:]))
    rnnstates.extract(rows, output=sys.argv[2], states=None, units=8, engine="numpy", if_exists="replace").close()
"""

INTRODUCTION = """# Memory: every form of input

{machine} {day}. MB are 10^6 bytes of resident memory, the whole process: Python, its libraries and what is read."""


def batches(wanted: int) -> Iterator[tuple[Any, Any]]:
    """Yield lengths [1000] and steps [sum of lengths, 64] of random sequences, about so many bytes in all."""
    random = np.random.RandomState(0)
    done = 0
    while done < wanted:
        lengths = random.randint(1, LONGEST + 1, ROWS)
        values = random.standard_normal((lengths.sum(), FEATURES)).astype(np.float32)
        yield lengths, values
        done += values.nbytes


def rows_of(wanted: int) -> Iterator[Any]:
    """Yield the sequences one by one."""
    for lengths, values in batches(wanted):
        yield from np.split(values, np.cumsum(lengths)[:-1])


def padded(wanted: int) -> Iterator[tuple[Any, Any]]:
    """Yield lengths and padded sequences [1000, 127, 64]."""
    for lengths, values in batches(wanted // 2):
        block = np.zeros((ROWS, LONGEST, FEATURES), np.float32)
        block[np.arange(LONGEST) < lengths[:, np.newaxis]] = values
        yield lengths, block


def write_parquet(path: Path, wanted: int, together: int) -> None:
    """Write row groups of so many batches; one for all if that is 0."""
    with parquet.ParquetWriter(path, SCHEMA) as file:
        if not together:
            file.write_table(pa.Table.from_batches(list(_columns(wanted))), row_group_size=1 << 30)
            return
        held: list[Any] = []
        for batch in _columns(wanted):
            held.append(batch)
            if len(held) == together:
                file.write_table(pa.Table.from_batches(held))
                held = []
        if held:
            file.write_table(pa.Table.from_batches(held))


def write_arrow(path: Path, wanted: int, compression: str | None) -> None:
    """Write a record batch per batch."""
    with ipc.new_file(path, SCHEMA, options=ipc.IpcWriteOptions(compression=compression)) as file:
        for batch in _columns(wanted):
            file.write_batch(batch)


def _columns(wanted: int) -> Iterator[Any]:
    for lengths, values in batches(wanted):
        steps = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), FEATURES)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        column = pa.ListArray.from_arrays(pa.array(offsets), steps).cast(KIND)
        yield pa.record_batch([column], schema=SCHEMA)


def write_padded(path: Path, wanted: int, **how: Any) -> None:
    """Write an HDF5 file of padded sequences, with lengths, a mask, and every third row in disorder."""
    with h5py.File(path, "w") as file:
        shape = (ROWS, LONGEST, FEATURES)
        made = file.create_dataset("inputs", shape, "f4", maxshape=(None, *shape[1:]), chunks=(64, *shape[1:]), **how)
        every: list[Any] = []
        for number, (lengths, block) in enumerate(padded(wanted)):
            made.resize((number + 1) * ROWS, axis=0)
            made[number * ROWS :] = block
            every.append(lengths)
        lengths = np.concatenate(every)
        file["lengths"], file["mask"] = lengths, np.arange(LONGEST) < lengths[:, np.newaxis]
        file["some"] = np.random.RandomState(1).permutation(len(lengths))[::3]


def write_npz(path: Path, wanted: int, compression: int) -> None:
    """Write an archive of padded sequences and their lengths, block by block."""
    count = sum(len(lengths) for lengths, _ in padded(wanted))
    every: list[Any] = []
    with zipfile.ZipFile(path, "w", compression, compresslevel=1) as archive:
        with archive.open("inputs.npy", "w", force_zip64=True) as member:
            about = {"descr": "<f4", "fortran_order": False, "shape": (count, LONGEST, FEATURES)}
            np.lib.format.write_array_header_2_0(member, about)
            for lengths, block in padded(wanted):
                member.write(block)
                every.append(lengths)
        with archive.open("lengths.npy", "w") as member:
            np.lib.format.write_array(member, np.concatenate(every))


def write_zarr(path: Path, wanted: int, version: int) -> None:
    """Write a store of padded sequences in compressed chunks."""
    blocks = [lengths for lengths, _ in padded(wanted)]
    group, count = zarr.open_group(path, mode="w", zarr_format=version), len(blocks) * ROWS
    shape = (count, LONGEST, FEATURES)
    made = group.create_array("inputs", shape=shape, chunks=(100, LONGEST, FEATURES), dtype="f4")
    for number, (_, block) in enumerate(padded(wanted)):
        made[number * ROWS : (number + 1) * ROWS] = block
    group.create_array("lengths", data=np.concatenate(blocks))


def write_group(path: Path, wanted: int) -> None:
    """Write a dataset for each sequence, of up to 508 steps: a file may have 100,000 of them."""
    rows = rows_of(wanted)
    with h5py.File(path, "w") as file:
        for number, four in enumerate(zip(rows, rows, rows, rows, strict=True)):
            file[f"inputs/s{number}"] = np.concatenate(four)


def write_varying(path: Path, wanted: int) -> None:
    """Write arrays of varying length: all numbers of a sequence, as one feature; of a tenth of the bytes."""
    with h5py.File(path, "w") as file:
        made = file.create_dataset("inputs", (0,), h5py.vlen_dtype("f4"), maxshape=(None,))
        for row in rows_of(wanted // 10):
            made.resize(len(made) + 1, axis=0)
            made[len(made) - 1] = row.reshape(-1)


def write_several(path: Path, wanted: int) -> None:
    """Write ten files."""
    for part in range(10):
        rnnstates.write_inputs(path.with_suffix(f".{part}.h5"), rows_of(wanted // 10))


class Made(NamedTuple):
    """How a form is written, and what the command says beside its path."""

    write: Callable[[Path, int], object]
    options: tuple[str, ...] = ()
    inputs: str = "input.h5"


FORMS: dict[str, Made] = {
    "HDF5, padded": Made(write_padded),
    "HDF5, padded, gzip": Made(lambda path, wanted: write_padded(path, wanted, compression="gzip", compression_opts=1)),
    "HDF5, a mask": Made(write_padded, ("--lengths", "mask")),
    "HDF5, trailing:0": Made(write_padded, ("--lengths", "trailing:0")),
    "HDF5, a third of the rows in disorder": Made(write_padded, ("--rows", "some")),
    "HDF5, packed": Made(lambda path, wanted: rnnstates.write_inputs(path, rows_of(wanted))),
    "HDF5, a dataset for each sequence": Made(write_group),
    "HDF5, arrays of varying length, a tenth": Made(write_varying, ("--univariate",)),
    "ten HDF5 files": Made(write_several, (), "input.*.h5"),
    ".npz": Made(lambda path, wanted: write_npz(path, wanted, zipfile.ZIP_STORED)),
    ".npz, deflated": Made(lambda path, wanted: write_npz(path, wanted, zipfile.ZIP_DEFLATED)),
    "Zarr 2": Made(lambda path, wanted: write_zarr(path, wanted, 2)),
    "Zarr 3": Made(lambda path, wanted: write_zarr(path, wanted, 3)),
    "Parquet, 10000 rows in a group": Made(lambda path, wanted: write_parquet(path, wanted, 10)),
    "Parquet, one group": Made(lambda path, wanted: write_parquet(path, wanted, 0)),
    "Arrow": Made(lambda path, wanted: write_arrow(path, wanted, None)),
    "Feather, lz4": Made(lambda path, wanted: write_arrow(path, wanted, "lz4")),
    "a generator in Python": Made(lambda path, wanted: rnnstates.write_inputs(path, rows_of(wanted)), (), ""),
}


def peak(folder: Path, name: str, wanted: int) -> Measured:
    """Write a file, and extract from it in a process of its own."""
    form = FORMS[name]
    with tempfile.TemporaryDirectory(dir=folder) as room:
        # Content counts, not the name.
        path, output = Path(room) / "input.h5", Path(room) / "states.h5"
        form.write(path, wanted)
        command = [RNNSTATES, "extract", str(Path(room) / form.inputs), str(output), *OPTIONS, *form.options]
        if not form.inputs:
            command = [sys.executable, "-c", GENERATOR, str(path), str(output)]
        return measure(command, folder / "messages.txt")


def main() -> None:
    """Measure every form in both sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", default="200M", help="bytes of values of the small inputs (default: 200M)")
    parser.add_argument("--large", default="2G", help="bytes of values of the large inputs (default: 2G)")
    parser.add_argument(
        "--forms", default=",".join(map(str, range(len(FORMS)))), help="which, by number (default: all)"
    )
    parser.add_argument("--folder", type=Path, help="where to put the inputs meanwhile (default: the system's)")
    options = parser.parse_args()
    chosen = [list(FORMS)[int(number)] for number in options.forms.split(",")]
    found: dict[str, tuple[Measured, Measured]] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name in chosen:
            small, large = (peak(Path(folder), name, size(text)) for text in (options.small, options.large))
            found[name] = small, large
            print(f"{name}: {small.peak_mb:.0f} MB, {large.peak_mb:.0f} MB, {large.seconds:.0f} s", flush=True)
    rows = [
        [
            name,
            f"{small.peak_mb:.0f}",
            f"{large.peak_mb:.0f}",
            f"{large.peak_mb - small.peak_mb:.0f}",
            f"{large.seconds:.1f}",
        ]
        for name, (small, large) in found.items()
    ]
    here = report.machine()
    introduction = INTRODUCTION.format(machine=report.about(here), day=report.today())
    heads = ["form", f"{options.small}: peak MB", f"{options.large}: peak MB", "growth MB", "seconds"]
    content = {"machine": here, "jobs": {name: [run._asdict() for run in runs] for name, runs in found.items()}}
    report.save("forms", f"{introduction}\n\n{markdown(heads, rows)}", content)


if __name__ == "__main__":
    main()
