"""Fixtures of the tests of files of states."""

import pytest


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Several windows, pieces and chunks, some of them within one sequence.
    monkeypatch.setattr("rnnstates.extraction.grid.WINDOW_BYTES", 200)
    return tmp_path
