"""Outputs that were left unfinished."""

import errno
import os
from pathlib import Path

import pytest

from rnnstates import WriteFailed
from rnnstates.output.system import Disk

from .making import make


def leave(monkeypatch, windows=None, **options):
    """Leave out.h5.partial and its journal, which tells of some windows only, all of them when None."""

    def fail(self, source, target):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(Disk, "link", fail)
        broken.setattr(Disk, "rename", _rename(fail))
        with pytest.raises(WriteFailed):
            make(**options)
    journal = Path("out.h5.journal")
    lines = journal.read_bytes().splitlines(keepends=True)
    if windows is not None:
        kept = [line for line in lines if b'"window"' in line][:windows]
        journal.write_bytes(b"".join([*lines[:2], *kept]))
    return journal


def _rename(fail):
    whole = Disk.rename

    def rename(self, source, target):
        if target.name == "out.h5":
            fail(self, source, target)
        whole(self, source, target)

    return rename
