"""States that an ONNX layer starts from: of its width and directions, or refused, wherever they come from."""

import re

import numpy as np
import pytest
from onnx import helper

import rnnstates
from rnnstates import BadWeights

from .test_onnx import GATES, H, I, N, T, arrays_of, model_of, runtime, save
from .torch_exports import export_quietly

make = helper.make_node
value = helper.make_tensor_value_info
WIDE = 8


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.onnx"


def started(before, state="initial_c", *, op="LSTM", ways=1, batch=N, given=(), constants=None, **attributes):
    """A layer that starts from ``start``, which is made before it, stored, or given."""
    arrays = arrays_of(op, ways)
    reads = ["X", "W", "R", "B", "", "start"] if state == "initial_h" else ["X", "W", "R", "B", "", "", "start"]
    direction = "bidirectional" if ways == 2 else "forward"
    node = make(op, reads, ["Y"], "cell", hidden_size=H, direction=direction, **attributes)
    inputs = [value("X", 1, [batch, None, I] if attributes.get("layout") else [None, batch, I]), *given]
    return model_of([*before, node], arrays | (constants or {}), ["Y"], inputs=inputs)


def filled(ways, width):
    """Zeros for as many sequences as there are."""
    nodes = [make("Shape", ["X"], ["s"]), make("Slice", ["s", "one", "two"], ["b"])]
    nodes += [make("Concat", ["ways", "b", "width"], ["whole"], axis=0)]
    return nodes, {"one": [1], "two": [2], "ways": [ways], "width": [width], "zero": np.zeros((1, 1, 1), "f4")}


def sources(ways, width):
    """Each way to give a start of that size: what makes it, what is stored, what is given."""
    shape, (nodes, numbers) = (ways, N, width), filled(ways, width)
    more = numbers | {"first": [0], "last": [ways], "dropped": np.zeros((1, *shape), "f4")}
    both, other = filled(ways + 1, width), {"stored": np.zeros((ways + 1, N, width), "f4")}
    return {
        "stored zeros": ([], {"start": np.zeros(shape, "f4")}, []),
        "stored": ([], {"start": np.ones(shape, "f4")}, []),
        "filled": ([*nodes, make("ConstantOfShape", ["whole"], ["start"])], numbers, []),
        "expanded": ([*nodes, make("Expand", ["zero", "whole"], ["start"])], numbers, []),
        "tiled": ([make("Tile", ["zero", "times"], ["start"])], {**more, "times": list(shape)}, []),
        "cut": (
            [*both[0], make("Expand", ["zero", "whole"], ["z"])]
            + [make("Slice", ["z", "first", "last", "first"], ["start"])],
            {**both[1], **more, "ways": [ways + 1]},
            [],
        ),
        "split": (
            [make("Split", ["stored", "parts"], ["start", "rest"], axis=0)],
            {**other, "parts": [ways, 1]},
            [],
        ),
        "gathered": ([make("Gather", ["stored", "rows"], ["start"], axis=0)], {**other, "rows": list(range(ways))}, []),
        "squeezed": ([make("Squeeze", ["dropped", "first"], ["start"])], more, []),
        "joined": (
            [make("Concat", ["stored", "stored"], ["start"], axis=1)],
            {"stored": np.zeros((ways, N // 2, width), "f4")},
            [],
        ),
        "given": ([], {}, [value("start", 1, [ways, None, width])]),
        "gathered from what is given": (
            [make("Gather", ["cache", "second"], ["start"], axis=0)],
            {"second": np.array(1)},
            [value("cache", 1, [2, ways, None, width])],
        ),
    }  # fmt: skip


def built(source, ways, width, **options):
    before, constants, given = sources(options.pop("made_for", ways), width)[source]
    arrays = {name: np.asarray(array) for name, array in constants.items()}
    return started(before, ways=ways, given=given, constants=arrays, **options)


SOURCES = list(sources(1, H))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("state", ["initial_h", "initial_c"])
def test_a_start_of_another_width_is_refused_wherever_it_comes_from(path, source, state):
    save(built(source, 1, WIDE, state=state), path)
    name = {"initial_h": "hidden", "initial_c": "cell"}[state]
    with pytest.raises(BadWeights, match=f"'cell': starts from a {name} state of width 8, but has 5 units; ") as said:
        rnnstates.load_weights(path)
    assert ("torch.onnx.export loses projections (proj_size): give the state_dict" in str(said.value)) == (
        name == "cell"
    )


@pytest.mark.parametrize("source", [source for source in SOURCES if source != "joined"])
def test_a_start_for_other_directions_is_refused_wherever_it_comes_from(path, source):
    save(built(source, 2, H, made_for=3), path)
    with pytest.raises(BadWeights, match="'cell': starts from a cell state for 3 directions, but has 2; export it"):
        rnnstates.load_weights(path)


@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize("source", SOURCES)
def test_a_start_that_fits_is_run_wherever_it_comes_from(path, source, ways):
    save(built(source, ways, H), path)
    inputs = np.random.RandomState(1).randn(N, T, I).astype("f4")
    shapes = {"given": {"start": (ways, N, H)}, "gathered from what is given": {"cache": (2, ways, N, H)}}
    given = {name: np.zeros(shape, "f4") for name, shape in shapes.get(source, {}).items()}
    expected = runtime(path, X=inputs.swapaxes(0, 1), **given)["Y"]
    found = rnnstates.extract(inputs, "full", weights=path, engine="numpy")
    for place, group in enumerate(("layer0/forward/", "layer0/backward/") if ways == 2 else ("",)):
        np.testing.assert_allclose(found[f"{group}hidden"], expected[:, place].swapaxes(0, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("shape, problem", [((N, 2, H), ""), ((N, 2, WIDE), "width 8"), ((N, 1, H), "1 directions")])
def test_where_sequences_come_first_so_they_do_in_the_start(path, op, shape, problem):
    save(started([], "initial_h", op=op, ways=2, layout=1, constants={"start": np.zeros(shape, "f4")}), path)
    if problem:
        with pytest.raises(BadWeights, match=f"'cell': starts from a hidden state (of|for) {problem}, but has"):
            rnnstates.load_weights(path)
    else:
        assert rnnstates.load_weights(path).layers[0].forward.units == H


def test_a_start_of_unknown_sizes_is_noted_as_before(path):
    save(started([], given=[value("start", 1, ["ways", None, "width"])]), path)
    [note] = rnnstates.load_weights(path).notes
    assert "the model starts its cell state from the model's input 'start'; zero is used" in note


def test_what_a_file_says_between_operators_is_not_relied_on(path):
    """ONNX Runtime warns of what is said wrongly, and runs the model."""
    before, constants, _ = sources(1, H)["expanded"]
    made = started(before, constants={name: np.asarray(array) for name, array in constants.items()})
    made.graph.value_info.append(value("start", 1, [1, None, WIDE]))
    assert rnnstates.load_weights(save(made, path)).layers[0].forward.units == H


def test_a_number_that_is_gathered_from_is_no_start(path):
    """It has no axis, which is an error of the graph and not of the reader."""
    before = [make("Gather", ["single", "rows"], ["start"], axis=0)]
    given = [value("single", 1, [])]
    save(started(before, given=given, constants={"rows": np.array([0])}), path)
    [note] = rnnstates.load_weights(path).notes
    assert "from 'start' (Gather), which is computed from the model's input 'single'" in note


@pytest.mark.parametrize("options", [{}, {"dynamic_shapes": ({0: "batch"},)}, {"optimize": False}], ids=str)
def test_a_projection_that_an_exporter_loses_is_refused(path, options):
    import torch

    layer = torch.nn.LSTM(I, WIDE, batch_first=True, proj_size=3).eval()
    export_quietly(layer, (torch.randn(N, T, I),), path, verbose=False, **options)
    said = "starts from a cell state of width 8, but has 3 units; torch.onnx.export loses projections"
    with pytest.raises(BadWeights, match=re.escape(said)):
        rnnstates.load_weights(path)
