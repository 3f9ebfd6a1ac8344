"""Files of weights to damage."""

import zipfile

import pytest

from .keras_models import lstm, save, shared


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """One model in each kind of file."""
    folder = tmp_path_factory.mktemp("saved")
    for kind in (".keras", ".weights.h5", "legacy model.h5"):
        save(shared(lstm, 3), folder / kind, kind)
    return folder


@pytest.fixture
def weights(saved, tmp_path):
    """A .weights.h5 to damage."""
    (tmp_path / "w.weights.h5").write_bytes((saved / ".weights.h5").read_bytes())
    return tmp_path / "w.weights.h5"


@pytest.fixture
def members(saved):
    """What is in a .keras file, by name."""
    with zipfile.ZipFile(saved / ".keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}
