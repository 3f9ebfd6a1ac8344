"""What a user does with files: ``JOBS`` names it, of every door and kind of file; ``test_paths`` fails every call."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import rnnstates
from rnnstates_cli.main import cli

from .path_files import NETWORK, NEW, OPTIONS, WEIGHTS, in_windows, make, make_model, make_weights, put_unfinished

__all__ = ["JOBS", "Job"]

KEPT = "new.weights.h5"


class Job(NamedTuple):
    """Something to do in a folder.

    Parameters
    ----------
    run : callable
        Does it.
    make : callable
        Makes the files that it reads.
    prepare : callable
        Puts there what it is to find beside its output, before each run.
    most : int
        How many of its calls are failed, unless it is asked for every fault.
    """

    run: Callable[[Path], object]
    make: Callable[[Path], object] = make
    prepare: Callable[[Path], object] = lambda _folder: None
    most: int = 8


def _given(folder, inputs="in.npy", lengths="lengths.txt", output=NEW, **paths):
    """Give the arguments of ``extract``; those that are no options are names in the folder."""
    options = {name: str(folder / path) for name, path in paths.items() if path is not None}
    if "weights" in options:
        options["units"] = None
    named = str(folder / inputs), None if lengths is None else str(folder / lengths)
    return named, {**OPTIONS, "output": str(folder / output), **options}


def _extract(**paths):
    """Give the job that runs ``extract`` on files of the folder."""

    def run(folder):
        named, options = _given(folder, **paths)
        rnnstates.extract(*named, **options).close()

    return run


def _keep_weights(folder):
    rnnstates.save_weights(rnnstates.random_network(2, units=OPTIONS["units"], seed=0), folder / KEPT)


def _preview(folder):
    named, options = _given(folder, ids="ids.txt", weights="w.safetensors", save_weights=KEPT)
    rnnstates.preview(*named, **options)


def _preview_resumed(folder):
    named, options = _given(folder, ids="ids.txt")
    with in_windows():
        rnnstates.preview(*named, threads=1, **options)


def _skip(folder):
    named, options = _given(folder, ids="ids.txt", output="done.h5")
    rnnstates.extract(*named, if_exists="skip", **options).close()


def _resume(folder, **options):
    named, given = _given(folder, ids="ids.txt")
    with in_windows():
        rnnstates.extract(*named, threads=1, **given, **options).close()


def _collect(folder):
    rnnstates.collect(str(folder / "m.keras"), str(folder / "in.npy"), "full", output=str(folder / NEW)).close()


def _command(*arguments):
    """Give the job that runs a command; arguments with a dot are files of the folder."""

    def run(folder):
        line = [str(folder / argument) if "." in argument else argument for argument in arguments]
        with contextlib.redirect_stderr(io.StringIO()):
            cli.main(line, prog_name="rnnstates", standalone_mode=False)

    return run


def _of_weights(kind, door):
    def run(folder):
        config = {"config": str(folder / kind.config)} if kind.config else {}
        door(str(folder / kind.name) if kind.name else str(folder), **config)

    return Job(run, lambda folder: make_weights(folder, kind))


JOBS = {
    "extract": Job(_extract(ids="ids.txt")),
    "extract --weights": Job(_extract(weights="w.safetensors", initial_state="start.npz")),
    "extract from HDF5": Job(_extract(inputs="in.h5", lengths=None)),
    "extract with arrays beside": Job(_extract(lengths="lengths.npy", ids="ids.npy")),
    "extract --save-weights": Job(_extract(save_weights=KEPT)),
    "extract again with weights kept": Job(
        _extract(save_weights=KEPT), prepare=_keep_weights
    ),
    "resume": Job(_resume, prepare=put_unfinished),
    "resume --verify": Job(lambda folder: _resume(folder, verify=True), prepare=put_unfinished),
    "restart": Job(lambda folder: _resume(folder, restart=True), prepare=put_unfinished),
    "skip": Job(_skip),
    "preview": Job(_preview),
    "preview of a resumed run": Job(_preview_resumed, prepare=put_unfinished),
    "collect": Job(_collect, make_model, most=7),
    "command extract --model": Job(
        _command("extract", "in.npy", NEW, "--model", "m.keras", "--lengths", "full", "--progress", "none"), make_model,
        most=7,
    ),
    "command extract": Job(_command("extract", "in.npy", NEW, "--lengths", "lengths.txt", "--engine", "numpy")),
    "command convert": Job(_command("convert", "w.safetensors", KEPT)),
    "command export": Job(_command("export", "done.h5", "new.csv", "--progress", "none")),
    "command repack": Job(_command("repack", "done.h5", "new.h5", "--compression", "gzip")),
    "repack": Job(lambda folder: rnnstates.repack(str(folder / "done.h5"), folder / "new.h5", layout="packed")),
    "export": Job(lambda folder: rnnstates.export(str(folder / "done.h5"), folder / "new.npz", rows=[1, 0])),
    "command info": Job(_command("info", "done.h5")),
    "command info --json": Job(_command("info", "w.safetensors", "--json")),
    "command status": Job(_command("status", NEW), prepare=put_unfinished),
    "command clean": Job(_command("clean", NEW), prepare=put_unfinished),
    "command verify": Job(_command("verify", "done.h5")),
    "open": Job(lambda folder: rnnstates.open(str(folder / "done.h5")).close()),
    "describe input": Job(lambda folder: rnnstates.describe(str(folder / "in.npy"))),
    "describe HDF5 input": Job(lambda folder: rnnstates.describe(str(folder / "in.h5"))),
    "status": Job(lambda folder: rnnstates.status(str(folder / "done.h5"))),
    "clean": Job(lambda folder: rnnstates.clean(str(folder / "done.h5"))),
    "verify": Job(lambda folder: rnnstates.verify(str(folder / "done.h5"), sample=1)),
    "save_weights": Job(lambda folder: rnnstates.save_weights(NETWORK, str(folder / KEPT))),
    **{
        f"{door.__name__} {name}": _of_weights(kind, door)
        for name, kind in WEIGHTS.items()
        for door in (rnnstates.describe, rnnstates.load_weights)
    },
}  # fmt: skip
