"""The fuzzing of whole commands finds what it is to find: files that change, output that terminals would obey."""

from pathlib import Path

import pytest

import rnnstates
from rnnstates.output.names import names_of

from . import commands
from .forms import pack
from .places import unpacked


def status_that_writes(output):
    Path(output).with_suffix(".txt").write_text("x", encoding="utf-8")
    return {"output": str(output), "state": "absent"}


def clean_of_everything(output):
    there = [path for path in names_of(output)[:5] if path.exists()]
    for path in there:
        path.unlink()
    return [str(path) for path in there]


def clean_that_says_nothing(output):
    names_of(output).lock.unlink()
    return []


def undocumented(output):
    raise rnnstates.RnnstatesError(f"{output}: of no class that has an exit code")


@pytest.mark.parametrize(
    ("command", "name", "fault"),
    [
        (commands.status, "status", status_that_writes),
        (commands.status, "status", undocumented),
        (commands.clean, "clean", clean_of_everything),
        (commands.clean, "clean", clean_that_says_nothing),
    ],
)
def test_a_fault_of_a_command_is_found(command, name, fault, monkeypatch):
    monkeypatch.setattr(rnnstates, name, fault)
    try:
        with pytest.raises((AssertionError, rnnstates.RnnstatesError)):
            command(pack({"x.h5": b"x", "x.h5.lock": b"{}"}))
    finally:
        unpacked(pack({}), "folder")
        for path in commands.files():
            Path(path).unlink()
