"""Whole jobs with every array checked: its dtype, and its axes against those of the other arrays of the function."""

from typing import Annotated

import jaxtyping
import numpy as np
import numpy.typing as npt
import pytest
from beartype.door import is_bearable

from rnnstates.engines import compiled_engine
from rnnstates.network.names import CARRIED, GATES, POOLING_NAMES

from .builders import BUILT_ENGINES, ragged
from .typed import arrays_without_axes, as_checked, checked_library

ENGINES = [engine for engine in BUILT_ENGINES if engine != "tensorflow"]
KINDS = compiled_engine.kinds() if "compiled" in ENGINES else {}
LSTM = ("lstm", 3, 5)
CELLS = {
    "lstm": (*LSTM, {"initial": {"hidden": np.full(5, 0.1), "cell": np.full(5, -0.2)}}),
    "lstm with more": (*LSTM, {"peepholes": np.ones((3, 5)), "cell_clip": 0.5, "recurrent_bias": np.ones(20)}),
    "coupled lstm": (*LSTM, {"coupled": True, "preactivation_clip": 1.0, "forget_bias": 1.0}),
    "gru": ("gru", 3, 5, {"initial": {"hidden": np.ones(5)}}),
    "gru, reset before": ("gru", 3, 5, {"reset_after": False, "recurrent_bias": None}),
    "simple_rnn": ("simple_rnn", 3, 5, {"activation": "relu"}),
    "mlstm": ("mlstm", 3, 5, {}),
}
# Functions of arrays that may have any axes, by module.
ANY_AXES = {
    # Memory, and the numbers of an array whatever its shape.
    "arrays.axes": ("empty_window",),
    "arrays.checksums": ("sums",),
    "arrays.workspace": ("Workspace.array", "Workspace.zeros"),
    "inputs.identity": ("digest_array", "sample_array"),
    "network.checks": ("_arrays", "check_values"),
    "output.sink": ("_room",),
    # States of steps or of sequences, as asked for.
    "output.states.frames": ("_units",),
    "output.states.items": ("Items.__getitem__",),
    "output.states.torch_dataset": ("_tensor",),
    # As a file has them: chunks, axes in another order, and what is not known to fit yet.
    "inputs.axes": ("Axes.turn",),
    "inputs.belonging": ("check_ids",),
    "inputs.ids": ("ids_of",),
    "inputs.ids_shape": ("listed",),
    "inputs.initial": ("_check",),
    "inputs.initial_states": ("InitialStates.__init__", "_rows"),
    "inputs.npy": ("_read_box", "load_npy", "raw_bytes", "read_whole", "to_native"),
    "inputs.npz": ("NpzContainer.find",),
    "inputs.zarr": ("ZarrContainer.find",),
    "inputs.stream": ("StreamSource._fill",),
}


@pytest.fixture(scope="module")
def checked():
    """Give the library with its checks, the builders of networks that use it, and what was checked."""
    with pytest.MonkeyPatch.context() as patch, checked_library(patch) as made:
        yield made


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


def network(checked, *layers, **more):
    return checked.library.Network(
        tuple(checked.library.RecurrentLayer(f"layer {number}", *layer) for number, layer in enumerate(layers)), **more
    )


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_takes_and_gives_the_arrays_that_it_declares(cell, engine, checked):
    name, *sizes, options = CELLS[cell]
    weights = network(checked, [checked.builders.cell_weights(name, *sizes, **options)])
    gates = GATES[name] if name != "simple_rnn" else ()
    states = (*CARRIED[name], *gates, "state")
    for precision in ("float32", "float64"):
        made = checked.library.extract(
            *ragged(), weights=weights, engine=engine, precision=precision, states=states, pool=POOLING_NAMES
        )
        assert made["hidden"].dtype == precision


@pytest.mark.parametrize("options", [
    {"layout": "packed", "states": "hidden"},
    {"padding": "pre", "dtype": "float16"},
    {"padding": "pre", "threads": 2, "pool": "final"},
])  # fmt: skip
@pytest.mark.parametrize("direction", ["both", "backward", "apart"])
def test_every_layout_and_direction(options, direction, engine, checked):
    make, layer = checked.builders.layer_weights, checked.library.RecurrentLayer
    layers = {
        "both": checked.builders.bidirectional_stack().layers,
        "backward": (layer("low", backward=make(3, 4)), layer("high", backward=make(4, 5))),
        "apart": (layer("low", make(3, 3), make(3, 3), merge="apart", residual=True), layer("high", make(3, 5))),
    }
    inputs, lengths = ragged()
    if options.get("padding") == "pre":
        inputs = inputs[:, ::-1]
    checked.library.extract(
        inputs, lengths, weights=checked.library.Network(layers[direction]), engine=engine, **options
    )


def test_projections(engine, checked):
    random = np.random.default_rng(1)
    arrays = random.normal(size=(3, 20)), random.normal(size=(2, 20)), random.normal(size=20)
    weights = checked.library.LayerWeights(*arrays, projection=random.normal(size=(5, 2)), projection_clip=0.1)
    made = checked.library.extract(*ragged(), weights=network(checked, [weights]), engine=engine, pool="last")
    assert made["hidden"].shape[-1] == 2
    assert made["cell"].shape[-1] == 5


def test_token_ids(engine, checked):
    lengths = ragged()[1]
    ids = np.random.default_rng(0).integers(0, 7, (9, 8)).astype(np.float16)
    checked.library.extract(ids, lengths, weights=checked.builders.embedded(), engine=engine)


@pytest.mark.parametrize("shape", [(9, 5), (1, 5), (5,)])
def test_initial_states(shape, engine, checked):
    weights = checked.builders.one_layer()
    given = {"hidden": np.full(shape, 0.5), "cell": np.ones(shape, np.int8)}
    checked.library.extract(*ragged(), weights=weights, initial_state=given, engine=engine, pool="mean")


@pytest.mark.skipif("bfloat16" not in KINDS, reason="this processor does not multiply bfloat16")
def test_bfloat16(checked):
    checked.library.extract(*ragged(), weights=checked.builders.one_layer(), engine="compiled", precision="bfloat16")


@pytest.mark.parametrize("name", ["inputs.npy", "inputs.h5"])
def test_files(name, checked, tmp_path):
    import h5py

    inputs, lengths = ragged()
    if name.endswith(".npy"):
        np.save(tmp_path / name, np.asfortranarray(inputs, np.float32))
    else:
        with h5py.File(tmp_path / name, "w") as file:
            file.create_dataset("inputs", data=inputs, chunks=(2, 3, 3), compression="gzip")
    out = tmp_path / "states.h5"
    checked.library.extract(tmp_path / name, lengths, output=out, ids=list("abcdefghi"), layout="packed", pool="mean")
    with checked.library.open(out) as states:
        assert states[3].hidden.shape == (lengths[3], 64)
    checked.library.verify(out)


def test_long_sequences_that_are_cut_in_time(checked, monkeypatch):
    import sys

    grid = sys.modules["rnnstates.extraction.grid"]
    monkeypatch.setattr(grid, "WINDOW_BYTES", 2048)
    monkeypatch.setattr(grid, "TILE_BYTES", 2048)
    inputs, lengths = ragged(sequences=20, steps=50)
    weights = checked.builders.one_layer()
    checked.library.extract(inputs, lengths, weights=weights, engine="numpy", pool="mean")


def test_every_function_of_these_rooms_says_the_axes_of_its_arrays(checked):
    known = {f"rnnstates.{module}.{name}" for module, names in ANY_AXES.items() for name in names}
    assert checked.without_axes == known
    assert len(checked.declared) > 140


WRONG = {
    "dtype": (np.ones((2, 3, 4)), np.array([3, 2], np.int32)),
    "another size of one axis": (np.ones((2, 3, 4)), np.array([3, 2, 1])),
    "an axis too few": (np.ones((2, 3)), np.array([3, 2])),
    "integers": (np.ones((2, 3, 4), int), np.array([3, 2])),
    "exchanged axes": (np.ones((3, 2, 4)), np.array([3, 2])),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_array_is_refused(case, checked):
    from rnnstates.network.pooling import pool

    pool("mean", np.ones((2, 3, 4)), np.array([3, 2]))
    with pytest.raises(jaxtyping.TypeCheckError, match="the parameters of rnnstates"):
        pool("mean", *WRONG[case])


def test_a_wrong_field_is_refused(checked):
    from rnnstates.extraction.windows import Block, Piece

    Block(np.ones((2, 3, 4)), np.arange(5))
    with pytest.raises(jaxtyping.TypeCheckError, match="values"):
        Block(np.ones((2, 3, 4), int), np.arange(5))
    with pytest.raises(jaxtyping.TypeCheckError, match="lengths"):
        Piece(np.ones((2, 3, 4)), np.array([3]), np.array([0]))


def test_a_wrong_result_is_refused(checked):
    from rnnstates.engines.numpy_engine import NumpyEngine
    from rnnstates.engines.stack import Stack

    weights = checked.builders.one_layer()
    stack = Stack(weights, NumpyEngine("float32"))
    stack._unrolls[""] = lambda *_: {"hidden": np.ones((2, 3, 4), int)}
    with pytest.raises(jaxtyping.TypeCheckError, match="return value"):
        stack.run(np.ones((2, 3, 3), np.float32), np.array([3, 2]))


def test_types_become_those_of_jaxtyping():
    lengths = Annotated[npt.NDArray[np.int64], "B"]
    assert isinstance(np.ones(3, np.int64), as_checked(lengths))
    for wrong in (np.ones(3, np.int32), np.ones((3, 1), np.int64), [1]):
        assert not isinstance(wrong, as_checked(lengths))
    either = as_checked(Annotated[npt.NDArray[np.float32 | np.uint16], "B"] | None)
    for right in (None, np.ones(2, np.float32), np.ones(1, np.uint16)):
        assert isinstance(right, either)
    for nothing in (int, list[str], npt.NDArray[np.int64], dict[str, int], tuple[int, ...], str | None):
        assert as_checked(nothing) is None
    assert arrays_without_axes(dict[str, npt.NDArray[np.int64]])
    assert not arrays_without_axes(dict[str, lengths])


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_every_element_of_a_container_is_looked_at(wrong):
    arrays = [np.ones(2), np.ones(2), np.ones(2)]
    arrays[wrong] = np.ones((2, 1))
    one = Annotated[npt.NDArray[np.float64], "B"]
    for kind, given in (
        (dict[str, one], dict(enumerate(arrays))),
        (list[one], arrays),
        (tuple[one, ...], tuple(arrays)),
    ):
        assert not is_bearable(given, as_checked(kind))
    assert not is_bearable(tuple(arrays), as_checked(tuple[one, one, one]))
