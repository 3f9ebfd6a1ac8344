"""Other programs open states files and read in them what was written; ``table`` shows all that is installed here."""

import h5py
import numpy as np
import pytest

import rnnstates

from ..builders import one_layer, ragged
from .making import make
from .running import CLIENTS, run, version, wrong

# Faults of theirs, see docs/clients.md: netCDF before 4.9.1 crashes on strings of fixed length, Octave's `load`
# stops at strings that are not ASCII.
KNOWN = {
    ("R ncdf4", "packed"): {"ids"},
    ("R ncdf4", "stacked"): {"ids"},
    ("R ncdf4", "other letters"): {"ids"},
    ("ncdump", "packed"): {"ids"},
    ("ncdump", "stacked"): {"ids"},
    ("ncdump", "other letters"): {"ids"},
    ("GNU Octave", "other letters"): {"ids", "lengths", "sums"},
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return make(tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="module", params=CLIENTS)
def client(request):
    """Give a client that is installed: (name, how to run it)."""
    if version(CLIENTS[request.param]) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param, CLIENTS[request.param]


@pytest.mark.parametrize("case", ["packed", "stacked", "other letters"])
def test_a_client_reads_shapes_axes_states_lengths_ids_and_integrity(client, cases, case):
    name, how = client
    made = cases[case]
    printed, failure = run(how, made.dataset, made.path)
    assert set(wrong(how, made, printed)) <= KNOWN.get((name, case), set()), failure
    assert not failure or (name, case) in KNOWN, failure


def test_what_a_client_read_wrong_is_noticed(cases):
    made, how = cases["packed"], CLIENTS["xarray with h5netcdf"]
    printed, _ = run(how, made.dataset, made.path)
    assert not wrong(how, made, printed)
    for name in ("shape", "axes", "value", "lengths", "sums", "ids"):
        assert wrong(how, made, {**printed, name: ["7"]}) == [name]


def character_set(path, name):
    with h5py.File(path) as file:
        return h5py.check_string_dtype(file[name].dtype).encoding


def test_ids_are_marked_as_ascii_where_they_are_and_read_as_text_by_h5py_in_any_case(cases):
    for name, expected in {"padded": "ascii", "packed": "ascii", "stacked": "ascii", "other letters": "utf-8"}.items():
        assert character_set(cases[name].path, "ids") == expected
        with h5py.File(cases[name].path) as file:
            assert file["ids"].asstr()[:].tolist() == cases[name].ids


@pytest.mark.parametrize("where", [0, 8], ids=["first", "last"])
def test_one_id_of_other_letters_makes_all_utf8(tmp_path, where):
    inputs, lengths = ragged()
    ids = [f"row{number}" for number in range(9)]
    ids[where] = "Å"
    rnnstates.extract(inputs, lengths, ids=ids, weights=one_layer(), output=tmp_path / "out.h5").close()
    assert character_set(tmp_path / "out.h5", "ids") == "utf-8"


def test_every_dataset_names_its_axes_those_of_integrity_too(cases):
    for made in cases.values():
        with h5py.File(made.path) as file:
            named = {}
            file.visititems(lambda name, one, into=named: into.update({name: one.attrs.get("axes")}))
            assert {named["integrity/sums"], named["integrity/rest"]} == {b"window dataset sum", b"byte"}
            assert named[made.dataset].decode().split() == made.axes
            assert {"lengths": named["lengths"], "ids": named["ids"]} == {"lengths": b"sequence", "ids": b"sequence"}
            scales = [axis[0] for axis in file["integrity/sums"].dims]
            assert [scale.name for scale in scales] == [f"/integrity/{name}" for name in ("window", "dataset", "sum")]
            assert [scale.shape for scale in scales] == [(size,) for size in made.sums]


def test_a_file_whose_ids_are_marked_as_utf8_as_version_0_1_wrote_them_opens(tmp_path):
    inputs, lengths = ragged()
    ids = [f"row{number}" for number in range(9)]
    path = tmp_path / "old.h5"
    rnnstates.extract(inputs, lengths, ids=ids, weights=one_layer(), output=path).close()
    with h5py.File(path, "r+") as file:
        del file["ids"]
        stored = h5py.string_dtype("utf-8", 4)
        file.create_dataset("ids", data=np.array(ids, "S").astype(stored))
        for dataset in (file["cell"], file["lengths"], file["integrity/sums"]):
            del dataset.attrs["axes"]
        for name in ("window", "dataset", "sum", "byte"):
            del file["integrity"][name]
    with rnnstates.open(path) as states:
        assert [sequence.id for sequence in states] == ids
    assert rnnstates.verify(path, quick=True, inputs=inputs, weights=one_layer())["recomputed"]
