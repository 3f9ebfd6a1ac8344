"""Bad input whose values lie elsewhere or nowhere: links, external storage, virtual datasets, references, bombs."""

import os

import h5py
import numpy as np
import pytest

from .catalogue import (
    DATA,
    FROM_HDF5,
    INPUTS,
    LENGTHS,
    WHOLE,
    Accepted,
    Mistake,
    check_accepted,
    check_refused,
    declared,
    hdf5,
    only,
)


def virtual(source="part.h5", name="x", *, taken=np.s_[:], shape=INPUTS.shape):
    """Make in.h5 with virtual inputs."""
    part = h5py.VirtualSource(source, name, shape)[taken]
    layout = h5py.VirtualLayout(part.shape, np.float32)
    layout[...] = part
    with h5py.File("in.h5", "w") as file:
        file.create_virtual_dataset("inputs", layout)
        file["lengths"] = LENGTHS


def nested():
    virtual("gone.h5")
    os.rename("in.h5", "part.h5")
    virtual(name="inputs")


def bomb_of_lengths():
    with h5py.File("in.h5", "w") as file:
        file["inputs"] = INPUTS
        file.create_dataset("lengths", (2**32,), "i8", chunks=(2**20,), compression="gzip")


# Links, external storage, virtual datasets, references, bombs.
ELSEWHERE = {
    "an external link": Mistake(
        hdf5(inputs=h5py.ExternalLink("taken.h5", "/x")),
        FROM_HDF5,
        DATA,
        ("in.h5: 'inputs' is a link into another file (taken.h5); links are refused, copy the data into one file",),
    ),
    "an external link to lengths": Mistake(
        hdf5(lengths=h5py.ExternalLink("taken.h5", "/x")), FROM_HDF5, DATA, ("in.h5: 'lengths' is a link into another",)
    ),
    "a soft link": Mistake(
        only(inputs=h5py.SoftLink("/x"), x=INPUTS, lengths=LENGTHS),
        FROM_HDF5,
        DATA,
        ("in.h5: 'inputs' is a soft link to '/x'; links are refused, name the dataset itself",),
    ),
    "a dangling link": Mistake(
        hdf5(inputs=h5py.SoftLink("/nowhere")), FROM_HDF5, DATA, ("in.h5: 'inputs' is a soft link to '/nowhere'",)
    ),
    "a dangling link to ids": Mistake(
        hdf5(ids=h5py.SoftLink("/nowhere")), FROM_HDF5, DATA, ("in.h5: 'ids' is a soft link to '/nowhere'",)
    ),
    "external storage": Mistake(
        declared(inputs={"shape": (4, 5, 3), "dtype": "f4", "external": [("taken.h5", 0, 240)]}),
        FROM_HDF5,
        DATA,
        ("dataset 'inputs': its values are in another file (taken.h5); external storage is refused", "h5repack"),
    ),
    "a virtual dataset without its source": Mistake(
        virtual,
        FROM_HDF5,
        DATA,
        ("dataset 'inputs': a virtual dataset whose source 'x' in 'part.h5' is missing", "Restore the source"),
    ),
    "a virtual dataset whose source has none": Mistake(
        nested,
        FROM_HDF5,
        DATA,
        ("source 'inputs' in 'part.h5': a virtual dataset whose source 'x' in 'gone.h5' is missing",),
    ),
    "a virtual dataset of a dangling link": Mistake(
        lambda: (only("part.h5", x=h5py.SoftLink("/nowhere"))(), virtual()),
        FROM_HDF5,
        DATA,
        ("dataset 'inputs': source 'x' in 'part.h5': 'x' is a soft link to '/nowhere'; links are refused",),
    ),
    "a virtual dataset of less than is taken": Mistake(
        lambda: (only("part.h5", x=INPUTS[:3])(), virtual(shape=(5, 5, 3), taken=np.s_[1:5])),
        FROM_HDF5,
        DATA,
        (
            "source 'x' in 'part.h5' has shape (3, 5, 3), which does not fit the part that is used of it",
            "Make the file",
        ),
    ),
    "a virtual dataset of itself": Mistake(
        lambda: virtual(".", "inputs"),
        FROM_HDF5,
        DATA,
        ("a virtual dataset made of itself ('inputs'); copy the values",),
    ),
    "references": Mistake(
        declared(inputs={"shape": (4, 5, 3), "dtype": h5py.ref_dtype}),
        FROM_HDF5,
        DATA,
        ("in.h5: dataset 'inputs': dtype reference; expected float16, float32, float64",),
    ),
    "references to regions": Mistake(
        declared(inputs={"shape": (4, 5, 3), "dtype": h5py.regionref_dtype}),
        ["in.h5", "--inputs", "inputs"],
        DATA,
        ("in.h5: dataset 'inputs': dtype reference; expected float16, float32, float64",),
    ),
    "a bomb": Mistake(
        declared(inputs={"shape": (2**20, 2**10, 64), "dtype": "f4", "chunks": (1, 2**10, 64), "compression": "gzip"}),
        FROM_HDF5,
        DATA,
        ("dataset 'inputs': declares 274877906944 bytes but stores 0; no compression does that", "Make the file again"),
    ),
    "lengths that are a bomb": Mistake(
        bomb_of_lengths,
        FROM_HDF5,
        DATA,
        ("dataset 'lengths': declares 34359738368 bytes but stores 0",),
    ),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_values_elsewhere_are_reported_exit_as_tabled_and_leave_everything_as_it_was(place, name, monkeypatch, capsys):
    check_refused(ELSEWHERE[name], monkeypatch, capsys)


def test_a_virtual_dataset_that_has_its_sources_is_read(place, monkeypatch, capsys):
    check_accepted(Accepted(lambda: (only("part.h5", x=WHOLE)(), virtual()), FROM_HDF5), monkeypatch, capsys)
