"""Where the cases of bad input are played through."""

import pytest

from .catalogue import fill_place


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with good inputs, lengths, weights and an output of an earlier run."""
    monkeypatch.chdir(tmp_path)
    fill_place()
    return tmp_path
