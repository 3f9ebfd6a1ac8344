"""Make the archive of what an ended run leaves: run this with the version of rnnstates that it is named for."""

import contextlib
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

import rnnstates
from rnnstates.extraction import grid, schedule
from rnnstates.output.writer import FileSink

HERE = Path(__file__).parent
FILES = ("in.npy", "lengths.npy", "out.h5.journal", "out.h5.partial")
COMMAND = "rnnstates extract in.npy out.h5 --lengths lengths.npy --units 2"


class End(Exception):
    """What ends the run."""


def end_after_two_windows():
    """Make reading raise ``End`` as soon as two windows are finished."""
    read, finish, finished = schedule.read_window, FileSink.finish, []

    def ending(job, window):
        if len(finished) >= 2:
            raise End
        return read(job, window)

    def counting(self, *known):
        finish(self, *known)
        finished.append(known)

    grid.WINDOW_BYTES, schedule.read_window, FileSink.finish = 100, ending, counting


def main():
    os.chdir(tempfile.mkdtemp())
    np.save("in.npy", (np.arange(24 * 4 * 2) % 7 - 3).reshape(24, 4, 2).astype(np.float32))
    np.save("lengths.npy", np.arange(24) % 5)
    end_after_two_windows()
    with contextlib.suppress(End):
        rnnstates.extract(
            "in.npy", "lengths.npy", units=2, output="out.h5", threads=1,
            provenance={"started": None, "command": COMMAND},
        )  # fmt: skip
    with zipfile.ZipFile(HERE / f"{rnnstates.__version__}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in FILES:
            archive.write(name)


if __name__ == "__main__":
    main()
