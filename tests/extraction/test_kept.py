"""What is kept of a run is, bit for bit, what a run that keeps everything has there."""

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import Network, RecurrentLayer
from rnnstates.output.kept.steps import KeptSteps

from ..builders import layer_weights
from ..interrupting import extract as extract_windows
from ..interrupting import interrupted, many_windows  # noqa: F401
from .keeping import APART, CHOICES, EQUAL_STACK, INPUTS, LENGTHS, NETWORKS, STATES, extract, numbers, same_steps


@pytest.mark.parametrize("choice", [{"every": 3}, {"every": 1}, {"every": 20}, {"last_steps": 2}, {"last_steps": 9}])
@pytest.mark.parametrize("padding", rnnstates.PADDINGS)
@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
@pytest.mark.parametrize("network", ["one layer", "stack"])
def test_kept_steps_are_those_of_a_whole_run(network, layout, padding, choice, tmp_path):
    options = {"layout": layout, "padding": padding, "engine": "numpy"}
    whole, kept = extract(network, **options), extract(network, **options, **choice)
    same_steps(kept, whole, **choice)
    with extract(network, **options, **choice, output=tmp_path / "out.h5") as stored:
        same_steps(stored, whole, **choice)
        for name in kept.datasets:
            np.testing.assert_array_equal(stored[name], kept[name], name)


def test_every_engine_keeps_the_same_steps_and_units(engine):
    whole = extract(engine=engine)
    kept = extract(engine=engine, every=2, keep_units="0:2")
    for row, length in enumerate(LENGTHS):
        for part in whole.layers:
            name = f"{part}/hidden"
            np.testing.assert_array_equal(kept[row][name], whole[row][name][numbers(int(length), every=2), :2])


@pytest.mark.parametrize("choice", [{"every": 3}, {"last_steps": 4}])
@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_steps_are_kept_of_sequences_that_are_cut_in_time(monkeypatch, layout, choice):
    monkeypatch.setattr("rnnstates.extraction.grid.WINDOW_BYTES", 200)
    monkeypatch.setattr("rnnstates.extraction.grid.TILE_BYTES", 300)
    monkeypatch.setattr("rnnstates.extraction.memory.SHORT", 0)
    same_steps(extract(APART, layout=layout, **choice), extract(APART, layout=layout), **choice)


def test_the_steps_of_pieces_are_those_of_the_whole():
    random = np.random.default_rng(0)
    for choice in ({"every": 3}, {"every": 1}, {"last_steps": 4}):
        steps = KeptSteps(choice.get("every"), choice.get("last_steps"))
        for total in (1, 7, 12):
            whole, found = random.normal(size=(total, 2)), {}
            for first, stop in ((0, total // 2), (total // 2, total)):
                size = np.array([stop - first])
                piece = steps.choose(whole[np.newaxis, first:stop], size, np.array([first]), np.array([total]))
                for place in range(piece.counts[0]):
                    found[int(piece.places[0]) + place] = piece.values[0, place]
            expected = whole[numbers(total, **choice)]
            assert steps.numbers(total).tolist() == numbers(total, **choice)
            assert sorted(found) == list(range(len(expected)))
            np.testing.assert_array_equal([found[place] for place in range(len(expected))], expected)


@pytest.mark.parametrize(
    ("given", "layers"),
    [
        ("top", ["layer1/forward", "layer1/backward"]),
        ("layer0", ["layer0/forward", "layer0/backward"]),
        (["high", "layer0/backward"], ["layer0/backward", "layer1/forward", "layer1/backward"]),
        ("layer1/backward", ["layer1/backward"]),
    ],
)
def test_kept_layers_are_those_of_a_whole_run_and_final_states_are_of_all(given, layers, tmp_path):
    whole, kept = extract(engine="numpy"), extract(engine="numpy", keep_layers=given)
    finals = {name for name in whole.datasets if name.endswith("_final")}
    expected = {name for name in whole.datasets if name.rpartition("/")[0] in layers} | finals | {"lengths"}
    assert (kept.layers, set(kept.datasets.keys())) == (layers, expected)
    with extract(engine="numpy", keep_layers=given, output=tmp_path / "out.h5") as stored:
        assert (stored.layers, set(stored.datasets.keys())) == (layers, expected)
        for name in expected:
            np.testing.assert_array_equal(kept[name], whole[name])
            np.testing.assert_array_equal(stored[name], whole[name])


def test_one_layer_is_its_own_top(engine):
    whole, kept = extract("one layer", engine=engine), extract("one layer", engine=engine, keep_layers="top")
    assert kept.layers == ["/"]
    for name in whole.datasets:
        np.testing.assert_array_equal(kept[name], whole[name])


@pytest.mark.parametrize("given", ["0:2,1", "1,0", [1, 0], range(2), np.array([1]), "1:", ":1", "0::3"])
def test_kept_units_are_columns_of_a_whole_run_and_their_numbers_are_a_coordinate(given, tmp_path):
    columns = {"0:2,1": [0, 1], "1:": slice(1, None), ":1": [0], "0::3": slice(0, None, 3), "1,0": [1, 0]}
    chosen = columns.get(given, given) if isinstance(given, str) else list(given)
    whole = extract(engine="numpy")
    with extract(engine="numpy", keep_units=given, output=tmp_path / "out.h5") as kept:
        for part, direction, _, weights in NETWORKS["stack"].parts():
            units = np.arange(weights.units)[chosen]
            for state in ("hidden", "cell_max", "hidden_last"):
                expected = whole[f"{part}/{state}"][..., chosen]
                np.testing.assert_array_equal(kept[f"{part}/{state}"], expected)
            np.testing.assert_array_equal(kept[f"{part}/cell_final"], whole[f"{part}/cell_final"])
            state = np.split(whole[f"{part}/state"], 2, axis=-1)
            both = np.concatenate([values[..., chosen] for values in state], axis=-1)
            np.testing.assert_array_equal(kept[f"{part}/state"], both)
            assert direction
            with h5py.File(tmp_path / "out.h5") as file:
                scale = file[f"{part}/hidden"].dims[2][0]
                np.testing.assert_array_equal(scale, units)
                np.testing.assert_array_equal(file[f"{part}/state"].dims[2][0], np.tile(units, 2))


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_units_of_some_layers_are_columns_of_a_whole_run_and_other_layers_keep_all(layout, tmp_path):
    given = {"top": "1", "layer0/backward": [2, 0]}
    chosen = {"layer0/backward": [2, 0], "layer1/forward": [1], "layer1/backward": [1]}
    whole, options = extract(layout=layout), {"layout": layout, "keep_units": given}
    with extract(**options, output=tmp_path / "out.h5") as stored:
        for kept in (extract(**options), stored):
            for part, _, _, weights in NETWORKS["stack"].parts():
                columns = chosen.get(part, list(range(weights.units)))
                for state in ("hidden", "cell_max", "hidden_last"):
                    np.testing.assert_array_equal(kept[f"{part}/{state}"], whole[f"{part}/{state}"][..., columns])
                    assert kept.units(f"{part}/{state}").tolist() == columns
                both = np.concatenate([half[..., columns] for half in np.split(whole[f"{part}/state"], 2, -1)], -1)
                np.testing.assert_array_equal(kept[f"{part}/state"], both)
                np.testing.assert_array_equal(kept[f"{part}/cell_final"], whole[f"{part}/cell_final"])
        with h5py.File(tmp_path / "out.h5") as file:
            assert list(file["layer1/forward/hidden"].dims)[-1]["unit"][()].tolist() == [1]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("given", ["all", "low,high"])
def test_the_average_of_layers_is_that_of_numpy_in_float64(given, precision, dtype):
    options = {"engine": "numpy", "precision": precision, "pool": "mean,max,last,first,std", "dtype": precision}
    whole = extract("equal stack", **options)
    kept = extract("equal stack", **{**options, "dtype": dtype}, layer_average=given, keep_layers="none")
    assert kept.layers == ["average/forward", "average/backward"]
    sources = ("layer0", "layer1", "layer2") if given == "all" else ("layer0", "layer2")
    for direction in ("forward", "backward"):
        for state in STATES.split(","):
            values = [whole[f"{layer}/{direction}/{state}"].astype(np.float64) for layer in sources]
            mean = np.mean(values, axis=0).astype(precision)
            np.testing.assert_array_equal(kept[f"average/{direction}/{state}"], mean.astype(dtype))
            for row, length in enumerate(LENGTHS):
                found = kept[row][f"average/{direction}/{state}_mean"]
                expected = np.mean(mean[row, :length], axis=0, dtype=np.float64) if length else np.nan
                np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=2e-3, atol=1e-6)
                end = (length - 1) if direction == "forward" else 0
                if length:
                    last = kept[row][f"average/{direction}/{state}_last"]
                    np.testing.assert_array_equal(last, mean[row, end].astype(dtype))


def test_an_average_stands_beside_the_layers_and_one_direction_has_no_subgroup(tmp_path):
    network = Network(
        tuple(RecurrentLayer(name, forward=layer_weights(size, 5, size)) for name, size in (("a", 3), ("b", 5)))
    )
    whole = extract(network)
    with extract(network, layer_average="a,b", keep_units="1:3", output=tmp_path / "out.h5") as kept:
        assert kept.layers == ["layer0", "layer1", "average"]
        mean = (whole["layer0/cell"].astype(float) + whole["layer1/cell"]) / 2
        np.testing.assert_array_equal(kept["average/cell"], mean.astype(np.float32)[..., 1:3])
        np.testing.assert_array_equal(kept["layer0/cell"], whole["layer0/cell"][..., 1:3])
        assert not any(name.endswith("_final") and name.startswith("average") for name in kept.datasets)
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["average"].attrs["layer_name"] == b"average of a, b"


@pytest.mark.parametrize("options", CHOICES, ids=str)
def test_verify_finds_a_flipped_value_in_what_is_kept(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("in.npy", INPUTS)
    extract("equal stack", "in.npy", output="out.h5", **options).close()
    found = rnnstates.verify("out.h5", weights=EQUAL_STACK, sample=100)
    assert (found["reason"], found["checksums"]) == (None, "right")
    assert max(data["recomputed"] for data in found["datasets"].values()) < 1e-5
    with h5py.File("out.h5", "r+") as file:
        name = next(name for name in file["integrity"].attrs["datasets"] if b"_" not in name)
        file[name][...] = np.where(file[name][...] != 0, file[name][...] + 1e-3, 0)
    with pytest.raises(
        rnnstates.BadStates, match=rf"'{name.decode()}': sequences 0 to \d+ are not as they were written"
    ):
        rnnstates.verify("out.h5", weights=EQUAL_STACK)
    with pytest.raises(rnnstates.BadStates, match=rf"'{name.decode()}' differs from the result in float64"):
        rnnstates.verify("out.h5", weights=EQUAL_STACK, quick=True)


@pytest.mark.parametrize("options", CHOICES, ids=str)
def test_another_choice_does_not_resume_and_the_same_gives_the_same_bytes(options, many_windows):  # noqa: F811
    options = {"weights": EQUAL_STACK, **options}
    expected = extract_windows(**options, output="whole.h5")
    assert interrupted(**options) in (2, 3)
    other = {name: value for name, value in options.items() if name in ("weights", "layout", "padding")}
    with pytest.raises(rnnstates.DoesNotMatch, match=r"was begun by a different job: kept was \{"):
        extract_windows(**other)
    assert extract_windows(**options) == expected
    with rnnstates.extract(
        "in.npy", "lengths.npy", output="out.h5", if_exists="skip", engine="numpy", **options
    ) as done:
        assert done.skipped


def test_a_run_goes_on_from_the_final_states_of_one_that_kept_little(tmp_path):
    half = np.minimum(LENGTHS, 4)
    rest = LENGTHS - half
    network = Network(
        tuple(RecurrentLayer(name, forward=layer_weights(size, 5, size)) for name, size in (("a", 3), ("b", 5)))
    )
    little = {"keep_layers": "top", "keep_units": "0", "every": 3, "pool": "final", "states": "hidden"}
    extract(network, lengths=half, output=tmp_path / "first.h5", **little).close()
    shifted = np.stack([np.roll(row, -used, axis=0) for row, used in zip(INPUTS, half, strict=True)])
    second = extract(network, shifted, rest, initial_state=tmp_path / "first.h5")
    whole = extract(network)
    for layer in ("layer0", "layer1"):
        np.testing.assert_allclose(second[f"{layer}/cell_final"], whole[f"{layer}/cell_final"], atol=1e-6)


def test_what_is_kept_is_planned_and_shown(tmp_path):
    whole = rnnstates.preview(INPUTS, LENGTHS, weights=EQUAL_STACK)
    assert whole["kept"] is None
    plan = rnnstates.preview(
        INPUTS, LENGTHS, weights=EQUAL_STACK, keep_layers="top", keep_units="0:3", every=3, layer_average="all"
    )
    assert plan["kept"] == {
        "keep_layers": ["layer2/forward", "layer2/backward"],
        "keep_units": "0:3",
        "every": 3,
        "layer_average": [part["group"] for part in whole["layers"]],
        "computed": [
            {"group": f"layer{layer}/{direction}", "cell_type": "lstm", "direction": direction, "units": 4}
            for layer in range(3)
            for direction in ("forward", "backward")
        ],
    }
    assert [part["group"] for part in plan["layers"]] == [
        "layer2/forward", "layer2/backward", "average/forward", "average/backward",
    ]  # fmt: skip
    shapes = {data["name"]: data["shape"] for data in plan["datasets"]}
    assert shapes["layer2/forward/hidden"] == shapes["average/forward/hidden"] == [11, 3, 3]
    assert plan["bytes_to_write"] == sum(data["bytes"] for data in plan["datasets"]) < whole["bytes_to_write"]
    extract(keep_layers="top", output=tmp_path / "out.h5").close()
    described = rnnstates.describe(tmp_path / "out.h5")
    assert (
        described["provenance"]["kept"]["keep_layers"] == described["layers"] == ["layer1/forward", "layer1/backward"]
    )
