"""Choices of what is kept that mean nothing, and files that say nonsense of it."""

import json

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import Network, OptionError, RecurrentLayer

from ..builders import cell_weights, layer_weights
from ..interrupting import interrupted, many_windows  # noqa: F401
from .keeping import extract


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
        ({"keep_units": {}}, r"keep_units=: names no layer; expected something like 0:10,17\."),
        ({"keep_units": {"high": "x"}}, r"keep_units='x': no unit and no range"),
        ({"keep_units": {"layer9": "1"}}, r"keep_units='layer9': no layer has this name; expected top or some of lay"),
        (
            {"keep_units": {"high": "0", "low": "1"}, "keep_layers": "high"},
            r"keep_units='low': no layer has this name; expected top or some of layer1/forward",
        ),
        (
            {"keep_units": {"high": "0", "layer1/forward": "1"}},
            r"keep_units='layer1/forward': names 'layer1/forward' a second time; expected it once\.",
        ),
        ({"keep_units": {"high": "2"}}, r"keep_units='2': 'layer1/forward/hidden' has 2 units, 0 to 1\."),
        ({"keep_units": {3: "2"}}, r"keep_units=: is a dict; expected .* or a dict of them by layer"),
        ({"keep_units": ","}, r"keep_units=: names no unit; expected something like 0:10,17\."),
        (
            {"keep_units": 3},
            r"keep_units=: is 3; expected a str such as '0:10,17', a list of numbers, a range or a dict of them by lay",
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
