"""What is kept of a run is, bit for bit, what a run that keeps everything has there."""

import json

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import Network, OptionError, RecurrentLayer
from rnnstates.output.kept.steps import KeptSteps

from ..builders import bidirectional_stack, cell_weights, layer_weights, one_layer, ragged
from ..interrupting import extract as extract_windows
from ..interrupting import interrupted, many_windows  # noqa: F401

INPUTS, LENGTHS = ragged(sequences=11, steps=9)
INPUTS = np.nan_to_num(INPUTS).astype(np.float32)
POOLS = "mean,last,first,max,std,final"
STATES = "hidden,cell,state"
EQUAL_STACK = Network(
    tuple(
        RecurrentLayer(name, layer_weights(features, 4, seed), layer_weights(features, 4, seed + 1))
        for name, features, seed in (("low", 3, 0), ("middle", 8, 2), ("high", 8, 4))
    )
)
NETWORKS = {"one layer": one_layer(), "stack": bidirectional_stack(), "equal stack": EQUAL_STACK}
# Cut in time: each direction reads the same direction below.
APART = Network(
    tuple(
        RecurrentLayer(name, layer_weights(features, 4, seed), layer_weights(features, 4, seed + 1), merge="apart")
        for name, features, seed in (("low", 3, 0), ("high", 4, 2))
    )
)


def extract(network="stack", inputs=INPUTS, lengths=LENGTHS, **options):
    weights = NETWORKS.get(network, network)
    return rnnstates.extract(inputs, lengths, **{"weights": weights, "pool": POOLS, "states": STATES, **options})


def numbers(length, every=None, last_steps=None):
    """Give the steps that are kept, in the words of the documentation."""
    return list(range(length))[::every] if every else list(range(length))[-last_steps:]


def same_steps(kept, whole, **choice):
    """Compare every sequence with the steps of the whole ones, and give their number."""
    assert kept.datasets.keys() == whole.datasets.keys() | {"input_lengths"}
    for row, length in enumerate(LENGTHS):
        assert kept["input_lengths"][row] == length
        steps = numbers(int(length), **choice)
        assert kept[row].length == kept.lengths[row] == len(steps)
        for name in set(whole.datasets.keys()) - {"lengths", "offsets"}:
            expected = whole[row][name]
            if name.rpartition("/")[2] in STATES.split(","):
                expected = expected[steps]
            np.testing.assert_array_equal(kept[row][name], expected, name)


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


def test_xarray_shows_which_units_are_kept(tmp_path):
    xarray = pytest.importorskip("xarray")
    extract("one layer", keep_units="1,3:5", every=2, output=tmp_path / "out.h5").close()
    with xarray.open_dataset(tmp_path / "out.h5", engine="h5netcdf") as opened:
        assert opened["hidden"].dims == ("sequence", "time", "unit")
        assert opened["unit"].values.tolist() == [1, 3, 4]
        assert opened["hidden_final"].dims == ("sequence", "all_unit")
        whole = extract("one layer")
        np.testing.assert_array_equal(opened["hidden_mean"].sel(unit=3), whole["hidden_mean"][:, 3])
        np.testing.assert_array_equal(opened["input_lengths"], LENGTHS)


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


CHOICES = [
    {"every": 3},
    {"last_steps": 2, "layout": "packed"},
    {"keep_units": "0:2", "padding": "pre"},
    {"keep_layers": "top"},
    {"layer_average": "all", "keep_layers": "none"},
    {"every": 2, "keep_units": "1", "keep_layers": "layer0/backward,high", "layer_average": "low,high"},
]


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


@pytest.mark.parametrize(
    ("options", "version"),
    [
        ({}, 1),
        ({"keep_layers": "top", "pool": "mean"}, 1),
        ({"keep_layers": "top"}, 3),
        ({"keep_units": "0"}, 3),
        ({"every": 2}, 3),
        ({"last_steps": 2}, 3),
        ({"layer_average": "all"}, 1),
    ],
)
def test_readers_of_version_1_refuse_what_they_would_take_for_something_else(options, version, tmp_path):
    with extract("equal stack", output=tmp_path / "out.h5", **options) as stored:
        assert stored.attributes["format_version"] == version
    assert extract("equal stack", **options).attributes["format_version"] == version


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"keep_layers": "layer7"},
            r"keep_layers='layer7': no layer has this name; expected top or some of layer0/for",
        ),
        ({"layer_average": "lo"}, r"layer_average='lo': no layer has this name; expected all or some of layer0/for"),
        ({"keep_layers": "none"}, r"keep_layers=None: keeps no layer; expected top, names, or a layer_average beside"),
        ({"layer_average": "low"}, r"layer_average='low': is one layer; expected two or more\."),
        (
            {"layer_average": "all"},
            r"layer_average=: layer 'high' is forward lstm of 2 and backward lstm of 6, but layer 'l",
        ),
        ({"keep_units": "1:4"}, r"keep_units='1:4': 'layer1/forward/hidden' has 2 units, 0 to 1\."),
        ({"keep_units": "3:3"}, r"keep_units='3:3': no unit and no range of them; expected something like 0:10,17\."),
        ({"keep_units": "-1"}, r"keep_units='-1': no unit and no range"),
        ({"keep_units": "9" * 40}, r"no unit and no range"),
        ({"keep_units": ","}, r"keep_units=: names no unit; expected something like 0:10,17\."),
        (
            {"keep_units": 3},
            r"keep_units=: is 3; expected a str such as '0:10,17', a list of numbers or a range or None",
        ),
        ({"every": 0}, r"every=0: expected at least 1\."),
        ({"last_steps": -2}, r"last_steps=-2: expected at least 1\."),
        ({"every": 2, "last_steps": 2}, r"every=2, last_steps=2: are two choices of steps; expected one of them\."),
    ],
)
def test_a_choice_that_means_nothing_is_refused(options, message):
    with pytest.raises(OptionError, match=message):
        extract(**options)


def test_a_name_of_two_layers_is_refused():
    twice = Network(tuple(RecurrentLayer("same", forward=layer_weights(features, 5, features)) for features in (3, 5)))
    with pytest.raises(
        OptionError, match=r"keep_layers='same': names 2 layers; expected top or some of layer0 \('same'\)"
    ):
        extract(twice, keep_layers="same")


def test_units_of_a_projection_are_counted_state_by_state():
    weights = rnnstates.LayerWeights(
        np.ones((3, 20)) * 0.1, np.ones((2, 20)) * 0.2, np.zeros(20), projection=np.ones((5, 2)) * 0.3
    )
    network = Network((RecurrentLayer("lstm", forward=weights),))
    whole = extract(network, engine="numpy")
    kept = extract(network, engine="numpy", keep_units="1:")
    np.testing.assert_array_equal(kept["hidden"], whole["hidden"][..., 1:])
    np.testing.assert_array_equal(kept["state"], whole["state"][..., [1, 2, 3, 4, 6]])
    with pytest.raises(OptionError, match=r"keep_units='2': 'hidden' has 2 units, 0 to 1\."):
        extract(network, engine="numpy", keep_units="2")
    np.testing.assert_array_equal(
        extract(network, engine="numpy", keep_units="2", states="cell", pool="mean")["cell"], whole["cell"][..., 2:3]
    )


def test_a_state_that_only_other_layers_have_is_refused():
    mixed = Network(
        (
            RecurrentLayer("lstm", forward=layer_weights(3, 5)),
            RecurrentLayer("gru", forward=cell_weights("gru", 5, 4)),
        )
    )
    with pytest.raises(OptionError, match=r"states='cell': no layer has it; layer 'gru' is a gru\."):
        extract(mixed, states="cell", pool="mean", keep_layers="top")


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("options", CHOICES, ids=str)
def test_a_repacked_file_keeps_what_was_kept(options, compression, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("in.npy", INPUTS)
    with extract("equal stack", "in.npy", output="out.h5", **options) as kept:
        layout = "padded" if kept.attributes["layout"] == "packed" else "packed"
        rnnstates.repack("out.h5", "new.h5", layout=layout, compression=compression)
        assert rnnstates.verify("new.h5", weights=EQUAL_STACK, sample=100)["reason"] is None
        with rnnstates.open("new.h5") as new:
            least = 2 if compression == "gzip" else 1
            assert new.attributes["format_version"] == max(least, kept.attributes["format_version"])
            assert new.layers == kept.layers
            for old_sequence, sequence in zip(kept, new, strict=True):
                for name in old_sequence:
                    np.testing.assert_array_equal(old_sequence[name], sequence[name], name)
    if "keep_units" in options:
        with h5py.File("out.h5") as old, h5py.File("new.h5", "r+") as file:
            name = f"{kept.layers[0]}/unit"
            assert file[name][()].tolist() == old[name][()].tolist()
            file[name][0] += 1
        with pytest.raises(rnnstates.BadStates, match=r"something outside the states was changed"):
            rnnstates.verify("new.h5", weights=EQUAL_STACK)


@pytest.mark.parametrize(
    "choice", [{"every": 3}, {"last_steps": 4, "layout": "packed"}, {"every": 2, "padding": "pre"}]
)
def test_steps_and_units_keep_their_numbers_wherever_states_are_read(choice, tmp_path):
    pandas = pytest.importorskip("pandas")
    steps = {name: value for name, value in choice.items() if name in ("every", "last_steps")}
    options = {**choice, "keep_units": "3,1", "states": "hidden,state", "pool": "max,final"}
    in_memory = extract("one layer", **options)
    with extract("one layer", **options, output=tmp_path / "out.h5") as stored:
        for states in (in_memory, stored):
            assert states.units("hidden").tolist() == states.units("hidden_max").tolist() == [3, 1]
            assert states.units("state").tolist() == [3, 1, 3, 1]
            assert states.units("cell_final").tolist() == [0, 1, 2, 3, 4]
            expected = [numbers(int(length), **steps) for length in LENGTHS]
            everything = [step for of_sequence in expected for step in of_sequence]
            assert [sequence.steps.tolist() for sequence in states] == expected
            part = states[[4, 1]]
            found = part.tokens("hidden")
            assert found.step.tolist() == expected[4] + expected[1]
            frame = part.frame("hidden")
            assert list(frame.columns) == ["sequence", "step", "hidden_3", "hidden_1"]
            labelled = states.to_xarray()
            assert labelled["unit"].values.tolist() == [3, 1]
            assert labelled["cell_final"].dims == ("sequence", "all_unit")
            np.testing.assert_array_equal(labelled["hidden_max"].sel(unit=3), states["hidden_max"][:, 0])
            np.testing.assert_array_equal(labelled["input_lengths"], LENGTHS)
            if "step" in labelled.dims:
                assert labelled["step_time"].values.tolist() == everything
    rnnstates.export(tmp_path / "out.h5", tmp_path / "steps.csv", datasets="hidden", units="1")
    table = pandas.read_csv(tmp_path / "steps.csv")
    assert list(table.columns) == ["id", "sequence", "step", "hidden_1"]
    assert table["step"].tolist() == everything
    with pytest.raises(OptionError, match=r"units=: the file kept no unit 2 of 'hidden'; expected some of 3, 1\."):
        rnnstates.export(tmp_path / "out.h5", tmp_path / "other.csv", datasets="hidden", units="1:3")


def test_an_average_keeps_the_numbers_of_its_units():
    states = extract("equal stack", layer_average="all", keep_layers="none", keep_units="1:", states="hidden")
    assert states.units("average/backward/hidden").tolist() == [1, 2, 3]
    assert states.layer("average/backward").to_xarray()["unit"].values.tolist() == [1, 2, 3]


def test_units_that_the_provenance_does_not_explain_are_refused():
    states = extract("one layer", keep_units="1", states="hidden")
    attributes = {**states.attributes, "provenance": {**states.provenance, "hidden_widths": []}}
    with pytest.raises(rnnstates.BadStates, match=r"'hidden': its provenance does not say which units it has \("):
        rnnstates.States(dict(states.datasets), attributes).units("hidden")


@pytest.mark.parametrize(
    "kept", [5, {}, {"computed": 3}, {"every": 0, "computed": []}, {"keep_units": 3, "computed": []},
             {"keep_layers": [1], "computed": []}, {"computed": [1]}, {"keep_units": "x", "computed": []}]
)  # fmt: skip
def test_a_file_that_says_nonsense_of_what_it_keeps_is_damaged(kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    extract("one layer", output="out.h5").close()
    with h5py.File("out.h5", "r+") as file:
        made = json.loads(file.attrs["provenance"])
        data = json.dumps({**made, "kept": kept}).encode()
        file.attrs.create("provenance", data, dtype=h5py.string_dtype("utf-8", len(data)))
    with pytest.raises(rnnstates.BadStates, match=r"out\.h5: its attributes do not describe its content"):
        rnnstates.verify("out.h5")
    with pytest.raises(rnnstates.BadStates, match=r"out\.h5: "):
        rnnstates.repack("out.h5", "new.h5")


def test_final_states_of_other_layers_are_not_those_of_a_kept_one():
    pytest.importorskip("xarray")
    states = extract(keep_layers="layer1/forward", pool="final", states="hidden")
    assert set(states.layer("layer1/forward").datasets) == {"hidden", "hidden_final", "cell_final", "lengths"}
    assert set(states.to_xarray()["layer1/forward"].data_vars) == {"hidden", "hidden_final", "cell_final"}
    assert "layer0/backward/cell_final" in states.datasets
