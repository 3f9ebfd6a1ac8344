"""Small sound inputs of whole commands: files of every kind, and folders of an output and what stands beside it."""

import contextlib
import functools
import json
import tempfile
from pathlib import Path
from unittest import mock

import rnnstates
from rnnstates.extraction import grid
from rnnstates.output.journal_file import JournalFile
from rnnstates.output.lock import Holder

from . import form_seeds, keras_seeds, onnx_seeds, seeds, tensorflow_seeds, weights_seeds
from .forms import pack

__all__ = ["convert", "export", "extract", "info", "repack", "unfinished", "verify"]

UNITS = 2
OPTIONS = {"states": "hidden", "pool": "none", "engine": "numpy"}


def convert():
    """Weights of every kind of file and folder that converts."""
    kinds = (
        weights_seeds.msgpack, weights_seeds.json_arrays,
        weights_seeds.torch, onnx_seeds.onnx, keras_seeds.plain_hdf5, keras_seeds.keras, weights_seeds.unirep,
        tensorflow_seeds.checkpoints_1, tensorflow_seeds.checkpoints_2, tensorflow_seeds.saved_models,
    )  # fmt: skip
    named = [weights_seeds.safetensors()[1], weights_seeds.npz()[1]]
    return named + [kind()[0] for kind in kinds]


def info():
    """Files of all kinds: inputs, states, weights."""
    return [*seeds.inputs_npy()[:2], *seeds.inputs_hdf5(), *_outputs(), *convert()]


def extract():
    """Inputs in every form, with lengths, masks and choices of rows beside them."""
    files = [*form_seeds.one_by_one(), *form_seeds.carried()]
    padded = {"in": form_seeds.carried()[0]}
    masks = ({"in": seeds.saved(seeds.values(4, 5, 2)), "lengths": mask} for mask in form_seeds.masks()[:3])
    chosen = (padded | {"rows": rows} for rows in (b"2\n0\n", seeds.saved([True, False, True])))
    return [*form_seeds.packed(), *map(pack, ({"in": file} for file in files)), *map(pack, (*masks, *chosen))]


def export():
    """Give outputs of both layouts, and compressed ones."""
    return [*_outputs(), *_compressed()]


def repack():
    """Give outputs of both layouts, and compressed ones."""
    return [*_outputs(), *_compressed()]


def _compressed():
    return [_run("packed", compression)["x.h5"] for compression in ("gzip", "zstd", "blosc")]


def _outputs():
    return [_run("padded")["x.h5"], _run("packed")["x.h5"]]


@functools.cache
def _run(layout, compression="none"):
    """Give the files of a run, by name: input, weights, output."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "in.npy").write_bytes(seeds.saved(seeds.values(2, 3, seeds.FEATURES)))
        (place / "w.safetensors").write_bytes(weights_seeds.safetensors()[1])
        given = {"weights": place / "w.safetensors", "layout": layout, "compression": compression, **OPTIONS}
        rnnstates.extract(place / "in.npy", [3, 1], output=place / "x.h5", **given).close()
        return _contents(place)


def _contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@functools.cache
def _killed():
    """Give what a run of four windows leaves that is killed when two are recorded."""
    sync, seen = JournalFile.sync, {}

    def seeing(journal):
        seen.clear()
        seen.update(_contents(place))
        sync(journal)

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as patched:
        place = Path(folder)
        patched.enter_context(mock.patch.object(JournalFile, "sync", seeing))
        # Windows of one sequence.
        patched.enter_context(mock.patch.multiple(grid, WINDOW_BYTES=40, TILES_TOGETHER=0))
        options = {"units": UNITS, "output": place / "x.h5", "threads": 1, **OPTIONS}
        rnnstates.extract(seeds.values(4, 3, seeds.FEATURES), "full", **options).close()
    header, session, first, second, *_ = seen["x.h5.journal"].splitlines(keepends=True)
    return seen | {"x.h5.journal": header + session + first + second}


def verify():
    """Outputs of both layouts, of given and of random weights, with what they were made from; one not finished."""
    unfinished = {name: content for name, content in _killed().items() if not name.endswith(".lock")}
    return [*(pack(_run(*how)) for how in (("padded",), ("packed",), ("padded", "gzip"))), pack(unfinished)]


def unfinished():
    """An output, what a run leaves that stops, one that is killed, one on another machine, and a lock alone."""
    killed, done = _killed(), {"x.h5": _run("padded")["x.h5"]}
    stopped = {name: content for name, content in killed.items() if not name.endswith(".lock")}
    elsewhere = json.dumps(Holder("elsewhere", "none", 1, 1, "2026-01-01T00:00:00Z")._asdict()).encode()
    lock = {"x.h5.lock": killed["x.h5.lock"]}
    return [pack(files) for files in (done, stopped, killed, stopped | {"x.h5.lock": elsewhere}, done | lock, lock)]
