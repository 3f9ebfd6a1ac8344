"""Bad input, what the arrays are: rank, sizes, dtypes; and every dtype and order that is accepted."""

import h5py
import numpy as np
import pytest

import rnnstates

from .catalogue import (
    DATA,
    FROM_HDF5,
    FROM_NPY,
    TOKENS,
    WHOLE,
    WITH_TOKENS,
    Accepted,
    Mistake,
    check_accepted,
    check_refused,
    declared,
    hdf5,
    npy,
    run,
)

# A hundred runs of the whole command.
pytestmark = pytest.mark.slow

EXPECTED = "expected float16, float32, float64, longdouble, booleans or integers of any width, in either byte order"
AXES = "expected (N, T, I): sequences, steps, features. "


def of(dtype):
    return npy(np.zeros((4, 5, 3), dtype), allow_pickle=True)


# Rank, T = 0, another I than the weights'.
SHAPES = {
    "no axis": Mistake(npy(np.float32(1)), FROM_NPY, DATA, ("in.npy: shape (); " + AXES + "It is a single number",)),
    "one axis": Mistake(
        npy(np.ones(5)),
        FROM_NPY,
        DATA,
        (
            "in.npy: shape (5,); "
            + AXES
            + "One sequence of one feature is x.reshape(1, -1, 1); of a file, --univariate reads it.",
        ),
    ),
    "two axes": Mistake(
        npy(np.ones((4, 5))),
        FROM_NPY,
        DATA,
        ("in.npy: shape (4, 5); " + AXES + "One feature per step is x[:, :, np.newaxis]", "x[np.newaxis]"),
    ),
    "token ids for weights that take none": Mistake(
        npy(TOKENS),
        ["in.npy", "--lengths", "full", "--weights", "w.weights.h5"],
        DATA,
        ("in.npy: shape (4, 5); " + AXES + "Token ids need weights with an embedding (--weights)",),
    ),
    "four axes": Mistake(
        npy(np.ones((4, 5, 3, 1))),
        FROM_NPY,
        DATA,
        ("in.npy: shape (4, 5, 3, 1); " + AXES + "Merge the axes after the steps: x.reshape(4, 5, -1)",),
    ),
    "four axes of HDF5": Mistake(
        hdf5(inputs=np.ones((4, 5, 3, 1))), FROM_HDF5, DATA, ("in.h5: dataset 'inputs': shape (4, 5, 3, 1); " + AXES,)
    ),
    "four axes of token ids": Mistake(
        npy(np.ones((4, 5, 3, 1))),
        WITH_TOKENS,
        DATA,
        ("shape (4, 5, 3, 1); expected (N, T, I), or (N, T) for token ids",),
    ),
    "no steps": Mistake(
        npy(np.ones((4, 0, 3))), FROM_NPY, DATA, ("in.npy: shape (4, 0, 3) has 0 steps (T); expected at least 1. Make",)
    ),
    "neither sequences nor steps": Mistake(npy(np.ones((0, 0, 3))), FROM_NPY, DATA, ("(0, 0, 3) has 0 steps (T)",)),
    "no features": Mistake(npy(np.ones((4, 5, 0))), FROM_NPY, DATA, ("shape (4, 5, 0) has 0 features (I); expected",)),
    "another width than the weights'": Mistake(
        npy(np.ones((4, 5, 7))),
        [*FROM_NPY, "--weights", "w.weights.h5"],
        DATA,
        ("in.npy: has 7 features per step, but layer 'lstm' reads 3; give inputs of shape (N, T, 3)",),
    ),
    "another width than the embedding's": Mistake(
        npy(np.ones((4, 5, 7))), WITH_TOKENS, DATA, ("has 7 features per step", "or token ids of shape (N, T)")
    ),
}

# Dtypes that hold no features.
DTYPES = {
    "objects": Mistake(
        of("O"), FROM_NPY, DATA, ("in.npy: holds pickled Python objects (dtype object)", "padded to one length")
    ),
    "bytes": Mistake(of("S3"), FROM_NPY, DATA, ("in.npy: dtype |S3 (strings); " + EXPECTED, "Convert it with .astype")),
    "strings": Mistake(of("U3"), FROM_NPY, DATA, ("in.npy: dtype <U3 (strings); " + EXPECTED, "Convert it")),
    "structures": Mistake(
        of([("a", "f4")]),
        FROM_NPY,
        DATA,
        ("in.npy: a structured dtype, [('a', '<f4')]; expected plain numbers. Save one",),
    ),
    "raw bytes": Mistake(of("V4"), FROM_NPY, DATA, ("in.npy: dtype |V4 (structured or raw values); " + EXPECTED,)),
    "complex numbers": Mistake(
        of("c16"),
        FROM_NPY,
        DATA,
        (
            "in.npy: dtype complex128 (complex numbers); " + EXPECTED,
            "Give the real and the imaginary parts as features",
        ),
    ),
    "truth values": Mistake(
        npy(np.zeros((4, 5), "?")), FROM_NPY, DATA, ("in.npy: dtype bool (booleans); " + EXPECTED, "Convert it")
    ),
    "dates": Mistake(
        of("M8[s]"),
        FROM_NPY,
        DATA,
        ("in.npy: dtype datetime64[s] (dates); " + EXPECTED, "Convert it to numbers, such as"),
    ),
    "time spans": Mistake(
        of("m8[s]"), FROM_NPY, DATA, ("in.npy: dtype timedelta64[s] (time spans); " + EXPECTED, "Convert it to numbers")
    ),
    **{
        f"{name} in HDF5": Mistake(
            declared(inputs={"shape": (4, 5, 3), "dtype": dtype}),
            FROM_HDF5,
            DATA,
            (f"in.h5: dataset 'inputs': dtype {called}; {EXPECTED}", mend),
        )
        for name, dtype, called, mend in (
            ("strings", h5py.string_dtype(), "string", "Pad the sequences into one such array"),
            ("bytes", "S3", "string", "Pad the sequences into one such array"),
            ("complex numbers", "c16", "complex128 (complex numbers)", "Give the real and the imaginary parts"),
            ("structures", [("a", "f4")], "[('a', '<f4')] (structured or raw values)", "Save one of its fields"),
            ("dates", h5py.opaque_dtype("M8[s]"), "datetime64[s] (dates)", "Convert it to numbers, such as seconds"),
        )
    },
}

CASES = SHAPES | DTYPES


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_array_is_reported_exits_as_tabled_and_leaves_everything_as_it_was(place, name, monkeypatch, capsys):
    check_refused(CASES[name], monkeypatch, capsys)


COMPUTED = "inputs are computed in float32; --precision float64 keeps them"
TURNED = "every value is byte-swapped as it is read"
ROUNDED = "which are converted to floating-point numbers: float32 rounds numbers beyond 16777216"
FORTRAN = "in.npy is in Fortran order and is read in many small pieces; np.save(np.ascontiguousarray(...)) is faster"

# Dtypes and orders that are read all the same: with the notes that they get.
NOTES = {
    "<f2": (),
    "<f4": (),
    "|i1": (),
    "|u1": (),
    "<i2": (),
    "<u2": (),
    ">f2": (f"in the other byte order, >f2; {TURNED}, <f2 is faster",),
    ">f4": (f"in the other byte order, >f4; {TURNED}, <f4 is faster",),
    "<f8": (f"float64 {COMPUTED}",),
    ">f8": (f"in the other byte order, >f8; {TURNED}, <f8 is faster", COMPUTED),
    "<i4": (f"holds int32 features, {ROUNDED}",),
    "<u4": (f"holds uint32 features, {ROUNDED}",),
    "<i8": (f"holds int64 features, {ROUNDED}",),
    "<u8": (f"holds uint64 features, {ROUNDED}",),
    ">i4": (f"in the other byte order, >i4; {TURNED}, <i4 is faster", f"holds int32 features, {ROUNDED}"),
    ">i2": (f"in the other byte order, >i2; {TURNED}, <i2 is faster",),
}

ACCEPTED = {
    **{f"{dtype} in npy": Accepted(npy(WHOLE.astype(dtype)), FROM_NPY, notes) for dtype, notes in NOTES.items()},
    **{
        f"{dtype} in HDF5": Accepted(hdf5(inputs=WHOLE.astype(dtype)), FROM_HDF5, notes)
        for dtype, notes in NOTES.items()
    },
    "longdouble": Accepted(npy(WHOLE.astype(np.longdouble)), FROM_NPY, (COMPUTED.partition(";")[0],)),
    "Fortran order": Accepted(npy(np.asfortranarray(WHOLE)), FROM_NPY, (FORTRAN,)),
    "Fortran order in the other byte order": Accepted(
        npy(np.asfortranarray(WHOLE.astype(">f4"))), FROM_NPY, (FORTRAN, f"in the other byte order, >f4; {TURNED}")
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_accepted_dtype_or_order_gives_the_same_states_and_a_note_where_it_costs(place, name, monkeypatch, capsys):
    check_accepted(ACCEPTED[name], monkeypatch, capsys)


@pytest.mark.parametrize("layout", ["padded", "packed"])
@pytest.mark.parametrize("kind", ["npy", "HDF5", "token ids"])
def test_no_sequences_give_a_valid_empty_output_and_a_notice(place, kind, layout, monkeypatch, capsys):
    none = {"inputs": np.zeros((0, 5, 3), np.float32), "lengths": np.zeros(0, int)}
    hdf5(**none)()
    np.save("in.npy", TOKENS[:0] if kind == "token ids" else none["inputs"])
    np.save("lengths.npy", none["lengths"])
    arguments = {"npy": FROM_NPY, "HDF5": FROM_HDF5, "token ids": WITH_TOKENS}[kind]
    for output in ("new.h5", "taken.h5"):
        options = ("--force", "--layout", layout)
        assert run(monkeypatch, "extract", arguments[0], output, *arguments[1:], *options) == 0
        assert ": has no sequences; the output is valid and empty." in capsys.readouterr().err
        with rnnstates.open(output) as states:
            assert states.sequences == 0
            units = states["hidden"].shape[-1]
            assert states["hidden"].shape == ((0, 5, units) if layout == "padded" else (0, units))
            assert states["hidden_mean"].shape == (0, units)
        assert run(monkeypatch, "verify", output) == 0
        capsys.readouterr()
