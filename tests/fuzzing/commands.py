"""Whole commands on files that may be hostile, called in this process: each a function of bytes.

Beside what holds for every parser: an error has an exit code, what is printed is bounded, and no file in the room
changes, comes or goes, but those that a command is to make or to take away.
"""

import contextlib
import functools
import io
import json
import os
import zlib
from pathlib import Path

import rnnstates
from rnnstates import errors
from rnnstates_cli.main import _print, cli

from .forms import FORMS
from .outcomes import Outcome, documented
from .places import forget, room, unpacked, written

__all__ = ["clean", "convert", "export", "extract", "info", "repack", "status", "verify"]

LONGEST_OUTPUT = 2**20
# The output of a run, and what an unfinished one leaves beside it.
OUTPUT = "x.h5"
LOCK = OUTPUT + ".lock"
BESIDE = {LOCK, *(OUTPUT + end for end in (".partial", ".partial.new", ".journal"))}
# Names of weights and of inputs in a folder that is packed into one input.
CHECKPOINT, INPUTS, WEIGHTS = "m", "in.npy", "w.safetensors"
CONVERTED = ("out.safetensors", "out.weights.h5")
EXPORTED = ("out.npz", "out.csv", "out.mat", "out.pt", "out.safetensors", "out.parquet")
EXPORTING = (("--json",), ("--layout", "packed"), ("--layout", "padded", "--rows", "1,0", "--units", "1:"))
# Of inputs in every form; beside them may lie lengths or a mask, and which rows are wanted.
EXTRACTING = (
    ("--univariate", "--layout=packed"),
    ("--carry=label,words", "--compression=gzip"),
    ("--carry=label", "--every=2", "--allow-nonfinite"),
    ("--keep-units=1", "--steps=1:", "--pool=none"),
)
USUAL = ("--engine=numpy", "--units=2", "--states=hidden", "--threads=1", "--progress=none", "--json")
GIVEN = ("lengths", "rows")
# Computing again takes most of the time.
REPACKING = (
    [],
    ["--layout=packed"],
    ["--layout=padded", "--compression=none"],
    ["--compression=gzip", "--dtype=float16"],
)
VERIFYING = (("--sample=0",), ("--sample=0", "--json"), ("--sample=0", "--quick"), ("--sample=1", "--json"))

# Errors that say what the command exits with.
EXITING = tuple(kind for kind in map(errors.__dict__.get, errors.__all__) if hasattr(kind, "exit_code"))


@functools.cache
def parsed(name, *arguments):
    """Read a command line, once."""
    command = cli.commands[name]
    return command, command.make_context(name, list(arguments))


def choice(content, count):
    """Choose among some forms of a command; the same one each time for the same input."""
    return zlib.crc32(content) % count


def executed(name, *arguments):
    """Run a command; gives what it prints to standard output, and the files before and after it."""
    command, context = parsed(name, *map(str, arguments))
    printed, noted = io.StringIO(), io.StringIO()
    before = files()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(noted), documented(only=EXITING):
        _print(command.invoke(context))
    for text in (printed.getvalue(), noted.getvalue(), Outcome.refused):
        assert len(text) < LONGEST_OUTPUT
        assert text.replace("\n", "").isprintable(), repr(text)
    if "--json" in arguments and not Outcome.refused:
        json.loads(printed.getvalue(), parse_constant=no_number)
    return printed.getvalue(), before, files()


def no_number(word):
    """Refuse NaN and infinities, which JSON has not."""
    raise AssertionError(word)


def files():
    """Give what tells every file in the room from a changed one, by path."""
    return dict(_files(str(room())))


def _files(folder):
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path)
        else:
            about = entry.stat(follow_symlinks=False)
            yield entry.path, (about.st_ino, about.st_size, about.st_mtime_ns)


def as_file_or_folder(content):
    """Write the input to a file, or to a folder where it is a packed one; gives what a user would name."""
    if not FORMS["folder"].recognise(content):
        return written(content, "x")
    folder = unpacked(content, "folder")
    return folder / CHECKPOINT if (folder / f"{CHECKPOINT}.index").is_file() else folder


def info(content):
    _, before, after = executed("info", as_file_or_folder(content), *(["--json"] * choice(content, 2)))
    assert after == before


def convert(content):
    target = room() / CONVERTED[choice(content, 2)]
    _, before, after = executed("convert", as_file_or_folder(content), target, "--json")
    made = after.pop(str(target), None)
    target.unlink(missing_ok=True)
    assert after == before
    assert (made is None) == bool(Outcome.refused)


def extract(content):
    folder, target = unpacked(content, "folder"), room() / "new.h5"
    given = [f"--{name}={folder / name}" for name in GIVEN if (folder / name).is_file()]
    form = EXTRACTING[choice(content, len(EXTRACTING))]
    _, before, after = executed("extract", folder / "in", target, *USUAL, *given, *form)
    made = after.pop(str(target), None)
    try:
        assert after == before
        assert (made is None) == bool(Outcome.refused)
        if made is not None:
            rnnstates.verify(target, sample=1)
    finally:
        target.unlink(missing_ok=True)


def export(content):
    target = room() / EXPORTED[choice(content, len(EXPORTED))]
    form = EXPORTING[choice(content + b"form", len(EXPORTING))]
    _, before, after = executed("export", written(content, OUTPUT), target, *form)
    made = after.pop(str(target), None)
    target.unlink(missing_ok=True)
    assert after == before
    assert (made is None) == bool(Outcome.refused)


def repack(content):
    target = room() / "new.h5"
    form = REPACKING[choice(content + b"form", len(REPACKING))]
    _, before, after = executed("repack", written(content, OUTPUT), target, "--json", *form)
    made = after.pop(str(target), None)
    target.unlink(missing_ok=True)
    assert after == before
    assert (made is None) == bool(Outcome.refused)


def status(content):
    output = unpacked(content, "folder") / OUTPUT
    _, before, after = executed("status", output, *(["--json"] * choice(content, 2)))
    assert after == before


def clean(content):
    folder = unpacked(content, "folder")
    printed, before, after = executed("clean", folder / OUTPUT, "--json")
    gone = before.keys() - after.keys()
    forget(str(Path(path).relative_to(folder)) for path in gone)
    assert after.items() <= before.items()
    if Outcome.refused:
        assert gone <= {str(folder / LOCK)}
    else:
        assert gone == set(json.loads(printed)["removed"]) <= {str(folder / name) for name in BESIDE}


def verify(content):
    folder = unpacked(content, "folder")
    given = [f"--{option}={folder / name}" for option, name in (("inputs", INPUTS), ("weights", WEIGHTS))]
    form = VERIFYING[choice(content, len(VERIFYING))]
    _, before, after = executed("verify", folder / OUTPUT, *given, *form)
    assert after == before
