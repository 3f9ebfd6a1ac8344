"""The catalogue of bad input can fail: what it starts from is good, and it sees what is not reported or is touched."""

import numpy as np
import pytest

from .catalogue import DATA, FROM_NPY, TOKENS, WITH_TOKENS, Mistake, check_refused, content, run


def test_what_the_catalogue_starts_from_is_good(place, monkeypatch):
    for arguments in (FROM_NPY, ["in.h5"], ["in.h5", "--weights", "w.weights.h5"]):
        assert run(monkeypatch, "extract", arguments[0], "new.h5", *arguments[1:], "--force") == 0
    np.save("in.npy", TOKENS)
    assert run(monkeypatch, "extract", WITH_TOKENS[0], "new.h5", *WITH_TOKENS[1:], "--force") == 0


def test_the_catalogue_sees_a_mistake_that_is_not_reported(place, monkeypatch, capsys):
    good = Mistake(None, FROM_NPY, DATA, ())
    with pytest.raises(AssertionError):
        check_refused(good, monkeypatch, capsys)
    with pytest.raises(AssertionError):
        check_refused(Mistake(content("in.npy", b""), FROM_NPY, DATA, ("something else",)), monkeypatch, capsys)


def test_the_catalogue_sees_an_output_that_is_touched(place, monkeypatch, capsys):
    def simulate(monkeypatch):
        with open("taken.h5", "ab") as file:
            file.write(b"more")

    case = Mistake(content("in.npy", b""), FROM_NPY, DATA, ("in.npy: empty",), simulate)
    with pytest.raises(AssertionError):
        check_refused(case, monkeypatch, capsys)
