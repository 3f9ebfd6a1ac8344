"""A job of milliseconds: six windows of two sequences, two units, and every way a states file can lie on the disk."""

import contextlib
import hashlib
import itertools
import os
import shutil
import time
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import h5py
import numpy as np

import rnnstates
from rnnstates.extraction import deliver, extract, job, schedule
from rnnstates.extraction.grid import Grid
from rnnstates.output.journal_file import read_journal
from rnnstates.output.names import names_of
from rnnstates.output.recorder import Pace, Recorder

from ..builders import one_layer, ragged
from .faulty import FAULTS, Faulty

__all__ = ["LAYOUTS", "WINDOWS", "Outcome", "Small", "at_once", "copied", "interrupt_at", "left", "recorded_in"]

WINDOWS, ROWS, STEPS = 6, 2, 8
# Padding that is a hole, padding that is written as zeros with short sequences, and no padding.
LAYOUTS = ("holes", "padded", "packed")
NETWORK = one_layer(units=2)
QUIET = {"command": None, "started": None}


class Outcome(NamedTuple):
    """What became of a run: its error or None, the windows computed, what the system saw."""

    error: BaseException | None
    computed: tuple[int, ...]
    system: Faulty


class Small:
    """The job, in a directory of its inputs.

    Parameters
    ----------
    inputs : Path
        An existing directory; the inputs are made in it unless they are there.
    """

    def __init__(self, inputs):
        self.inputs = inputs
        if not (inputs / "in.npy").exists():
            values, lengths = ragged(WINDOWS * ROWS, STEPS)
            # A full and an empty sequence inside, too.
            lengths[5], lengths[6] = STEPS, 0
            np.save(inputs / "in.npy", np.nan_to_num(values).astype(np.float32))
            np.save(inputs / "lengths.npy", lengths)
        self._before, self._whole, self._logs = self.digest(), {}, {}

    def digest(self):
        """A digest of all input bytes."""
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(self.inputs.iterdir())]

    def whole(self, layout, place):
        """The bytes of an output that nothing happened to; made in a directory below ``place`` the first time."""
        if layout not in self._whole:
            reference = place / f"reference-{layout}"
            reference.mkdir()
            outcome = self.run(reference, layout)
            assert outcome.error is None
            assert outcome.computed == tuple(range(WINDOWS))
            self._whole[layout] = (reference / "out.h5").read_bytes()
            shutil.rmtree(reference)
        return self._whole[layout]

    def log(self, place, layout, fault):
        """The moments of what a fault could strike in a run from what is in ``place``: nothing, or what was begun."""
        kind = layout, FAULTS[fault].operations, bool(left(place))
        if kind not in self._logs:
            self._logs[kind] = self.run(place, layout, Faulty(fault)).system.log
        return self._logs[kind]

    def run(self, place, layout="holes", system=None, **options):
        """Make ``place``/out.h5; what a run may raise on purpose is given back, anything else raised."""
        system, computed = system or Faulty(), []
        error = None
        options = {"engine": "numpy", "threads": 1, "provenance": QUIET, "weights": NETWORK, **options}
        inputs = options.pop("inputs", self.inputs / "in.npy")
        lengths = options.pop("lengths", self.inputs / "lengths.npy")
        # An output is the same to the byte as one that was opened, or the test fails.
        unopened = mock.patch.object(deliver, "open_states", _unopened) if layout in self._whole else nullcontext()
        with at_once(system, layout, computed), unopened:
            try:
                with rnnstates.extract(
                    inputs, lengths, output=place / "out.h5", layout="packed" if layout == "packed" else "padded",
                    states=("hidden",), pool=("mean",), **options,
                ):  # fmt: skip
                    pass
            except (rnnstates.RnnstatesError, KeyboardInterrupt) as reason:
                error = reason
        # As long as the error is held, so are the frames it passed through, with all their arrays.
        return Outcome(None if error is None else error.with_traceback(None), tuple(computed), system)

    def check_left(self, place, layout):
        """What must hold whenever a run has ended, however it did."""
        names = names_of(place / "out.h5")
        if names.output.exists():
            assert names.output.read_bytes() == self.whole(layout, place.parent)
        if names.partial.exists():
            with h5py.File(names.partial, locking=False) as file:
                assert file["hidden"].shape[-1] == 2
        assert self.digest() == self._before

    def finish(self, place, layout, **options):
        """Run again without a fault, and see that it finishes as it should; gives the windows computed."""
        self.check_left(place, layout)
        recorded = recorded_in(place)
        outcome = self.run(place, layout, **options)
        if outcome.error is not None:
            # Named and tidied up after before the fault: there is nothing to go on with.
            assert isinstance(outcome.error, rnnstates.CannotCreate), outcome.error
            assert "exists; replace it" in str(outcome.error)
        assert (place / "out.h5").read_bytes() == self.whole(layout, place.parent)
        assert left(place) == ["out.h5"]
        assert not recorded & set(outcome.computed)
        assert outcome.computed in ((), tuple(sorted(set(range(WINDOWS)) - recorded)))
        assert self.digest() == self._before
        return outcome.computed


def _unopened(path):
    assert path.exists()
    return nullcontext()


@contextlib.contextmanager
def at_once(system, layout, computed):
    """Small windows, recorded one by one as they are finished, so that operations come in one order."""
    read_window = schedule.read_window

    def counted(made, window):
        computed.append(window.rows.start // ROWS)
        return read_window(made, window)

    patches = {
        (extract, "SYSTEM"): system,
        (extract, "PACE"): Pace(seconds=30.0, bytes=1),
        (Recorder, "finished"): _finished_and_recorded(Recorder.finished),
        (job, "make_grid"): lambda *_, **__: Grid(ROWS, STEPS, tile_rows=ROWS, tile_steps=1000),
        (schedule, "read_window"): counted,
    }
    if layout == "holes":
        patches[job, "is_held"] = lambda spec, _: spec.pooling is not None
    with contextlib.ExitStack() as stack:
        for (where, name), value in patches.items():
            stack.enter_context(mock.patch.object(where, name, value))
        yield


def _finished_and_recorded(finished):
    def waiting(self, window, size):
        before = self.recorded
        finished(self, window, max(1, size))
        deadline = time.monotonic() + 30
        while self.recorded == before and self.failure is None and time.monotonic() < deadline:
            time.sleep(0.0001)

    return waiting


def recorded_in(place):
    """The windows that a run may not compute again."""
    names = names_of(place / "out.h5")
    known = read_journal(names.journal)
    return set() if known is None or not (names.partial.exists() or names.output.exists()) else set(known.windows)


def left(place):
    """The names in a directory."""
    return sorted(os.listdir(place))


def copied(source, target):
    """A directory again, as it is."""
    return Path(shutil.copytree(source, target))


def interrupt_at(tiles):
    """A progress callback that is interrupted at a tile."""
    counted = itertools.count(1)

    def progress(_done, _of):
        if next(counted) == tiles:
            raise KeyboardInterrupt

    return progress
