"""collect(): what comes out is what the layers of a live model computed, and the model is as it was."""

import h5py
import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest

import rnnstates
from rnnstates.collecting import feeding
from rnnstates.keras.started import keras

from . import models
from .models import FEATURES, LENGTHS, STEPS, TOKENS, WITHIN, computed, randomise, shared

PLENTY = {"pool": ["mean", "last", "first", "max", "min", "sum", "std"], "states": ("hidden", "cell", "state")}


def up_to(lengths, values):
    return np.where((np.arange(values.shape[1]) < lengths[:, None])[:, :, None], values, 0)


def test_a_convolution_before_the_lstm_is_run(tmp_path):
    model = randomise(models.convolutional())
    states = rnnstates.collect(model, FEATURES, LENGTHS)
    read = keras.Model(model.inputs[0], model.layers[1].output)(FEATURES)
    hidden, cell = computed(model.get_layer("lstm"), read)
    np.testing.assert_allclose(states["lstm/hidden"], up_to(LENGTHS, hidden), atol=1e-6)
    np.testing.assert_allclose(states["lstm/cell"], up_to(LENGTHS, cell), atol=1e-6)
    means = np.stack([values[:length].mean(axis=0) for values, length in zip(cell, LENGTHS, strict=True)])
    np.testing.assert_allclose(states["lstm/cell_mean"], means, atol=1e-6)
    assert states[1].lstm.cell.shape == (3, 5)


def test_a_stack_gives_every_layer_by_its_name():
    model = randomise(models.stacked())
    states = rnnstates.collect(model, FEATURES, "full")
    assert states.layers == ["low", "middle", "high"]
    (low,) = computed(model.get_layer("low"), FEATURES)
    middle, cell = computed(model.get_layer("middle"), low)
    (high,) = computed(model.get_layer("high"), middle[:, ::-1])
    for name, expected in (("low/hidden", low), ("middle/hidden", middle), ("middle/cell", cell)):
        np.testing.assert_allclose(states[name], expected, atol=1e-6)
    # Read from the end, and given where the inputs stand.
    np.testing.assert_allclose(states["high/hidden"], high[:, ::-1], atol=1e-6)
    np.testing.assert_allclose(states["high/hidden_last"], model(FEATURES), atol=1e-6)


@pytest.fixture
def of_masked(traced_once):
    """The model with masks and what it gives."""
    model = shared(models.masked)
    return model, rnnstates.collect(model, TOKENS)


def test_masks_of_the_model_give_the_lengths(of_masked):
    model, states = of_masked
    np.testing.assert_array_equal(states.lengths, LENGTHS)
    assert states.layers == ["both/forward", "both/backward", "cells/0", "cells/1"]
    both = model.get_layer("both")
    output = keras.Model(model.inputs[0], both.output)(TOKENS)
    theirs = np.where(WITHIN[:, :, None], output, 0)
    ours = np.concatenate([states["both/forward/hidden"], states["both/backward/hidden"]], axis=2)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    read = keras.Model(model.inputs[0], model.layers[1].output)(TOKENS).numpy()
    for row, length in enumerate(LENGTHS):
        _, cell = computed(both.backward_layer, read[row : row + 1, :length][:, ::-1])
        np.testing.assert_allclose(states[row].both.backward.cell, cell[0, ::-1], atol=1e-6)
        low, low_cell, high = computed(model.get_layer("cells"), output.numpy()[row : row + 1, :length])
        np.testing.assert_allclose(states[row]["cells/0/cell"], low_cell[0], atol=1e-6)
        np.testing.assert_allclose(states[row]["cells/0/hidden"], low[0], atol=1e-6)
        np.testing.assert_allclose(states[row]["cells/1/hidden"], high[0], atol=1e-6)


def test_padding_in_front_is_detected_from_the_mask(of_masked):
    model, usual = of_masked
    turned = np.stack([np.roll(row, STEPS - length) for row, length in zip(TOKENS, LENGTHS, strict=True)])
    states = rnnstates.collect(model, turned)
    assert states.attributes["padding"] == "pre"
    for row in range(len(LENGTHS)):
        np.testing.assert_allclose(states[row].both.forward.cell, usual[row].both.forward.cell, atol=1e-6)
    np.testing.assert_allclose(states["both/backward/cell_mean"], usual["both/backward/cell_mean"], atol=1e-6)


@pytest.mark.parametrize("named", [False, True])
def test_several_inputs_and_a_state_that_the_model_makes(named):
    model = randomise(models.several_inputs())
    context = np.random.default_rng(2).normal(size=(len(FEATURES), 2)).astype(np.float32)
    inputs = {"features": FEATURES, "context": context} if named else [FEATURES, context]
    states = rnnstates.collect(model, inputs, LENGTHS, batch_size=4)
    start = [keras.Model(model.inputs, layer.output)(inputs) for layer in model.layers if "dense" in layer.name][:2]
    hidden, cell = computed(model.get_layer("lstm"), FEATURES, initial_state=start)
    np.testing.assert_allclose(states["lstm/hidden"], up_to(LENGTHS, hidden), atol=1e-6)
    np.testing.assert_allclose(states["lstm/cell"], up_to(LENGTHS, cell), atol=1e-6)


def test_layers_inside_models_and_calls_of_the_same_layer_are_distinguished():
    model = randomise(models.nested())
    states = rnnstates.collect(model, FEATURES, LENGTHS)
    # In the order in which the model calls them.
    assert states.layers == ["shared", "shared_call2", "encoder/inside"]
    inside, shared = model.get_layer("encoder").get_layer("inside"), model.get_layer("shared")
    once = computed(shared, FEATURES)[0]
    np.testing.assert_allclose(states["encoder/inside/cell"], up_to(LENGTHS, computed(inside, FEATURES)[1]), atol=1e-6)
    np.testing.assert_allclose(states["shared/hidden"], up_to(LENGTHS, once), atol=1e-6)
    np.testing.assert_allclose(states["shared_call2/hidden"], up_to(LENGTHS, computed(shared, once)[0]), atol=1e-6)


def named(*names):
    return [keras.layers.SimpleRNN(3, name=name, return_sequences=True) for name in names]


@pytest.mark.parametrize(
    ("names", "calls", "expected", "output"),
    [
        (["lstm", "lstm_call2"], [0, 0, 1], ["lstm", "lstm_call2_2", "lstm_call2"], None),
        (["lstm", "lstm_call2"], [0, 0, 1, 1], ["lstm", "lstm_call2_2", "lstm_call2", "lstm_call2_call2"], "out.h5"),
        (["a", "a", "a_2"], [0, 1, 2], ["a", "a_3", "a_2"], None),
        (["a", "a_2", "a"], [0, 1, 2], ["a", "a_2", "a_3"], "out.h5"),
        (["a", "a", "a_call2"], [0, 1, 0, 1, 2], ["a", "a_2", "a_call2_2", "a_2_call2", "a_call2"], None),
    ],
)
def test_every_call_has_a_name_of_its_own(names, calls, expected, output, tmp_path):
    listed = named(*names)
    model = models.chain(*(listed[place] for place in calls))
    values = FEATURES
    with rnnstates.collect(model, FEATURES, "full", output=output and tmp_path / output) as states:
        assert states.layers == expected
        for name, reader in zip(expected, model.readers, strict=True):
            (values,) = computed(reader, values)
            np.testing.assert_allclose(states[f"{name}/hidden"], values, atol=1e-6, err_msg=name)


def test_a_call_is_named_alike_whichever_layers_are_taken():
    listed = named("lstm", "lstm_call2")
    model = models.chain(listed[0], listed[0], listed[1])
    assert rnnstates.collect(model, FEATURES, "full", layers="lstm").layers == ["lstm", "lstm_call2_2"]


def test_a_model_in_python_is_listened_to(tmp_path):
    model = randomise(models.written())
    states = rnnstates.collect(model, FEATURES, LENGTHS, layers="second")
    assert states.layers == ["second"]
    first = computed(model.readers[0], FEATURES * 0.5)[0]
    (second,) = computed(model.readers[1], first)
    np.testing.assert_allclose(states["second/hidden"], up_to(LENGTHS, second), atol=1e-6)


def test_a_model_that_runs_eagerly_is_listened_to():
    model = randomise(models.written())
    usual = rnnstates.collect(model, FEATURES, LENGTHS)
    model.run_eagerly = True
    states = rnnstates.collect(model, FEATURES, LENGTHS)
    np.testing.assert_allclose(states["first/cell"], usual["first/cell"], atol=1e-6)


def test_our_own_layers_give_what_they_gave(traced_once):
    model = shared(models.ours)
    states = rnnstates.collect(model, [FEATURES, LENGTHS])
    np.testing.assert_array_equal(states.lengths, LENGTHS)
    mine = model.get_layer("mine")(FEATURES, LENGTHS)
    back = model.get_layer("back")(mine)
    np.testing.assert_allclose(states["mine/hidden"], mine.hidden, atol=1e-6)
    np.testing.assert_allclose(states["mine/cell"], mine.cell, atol=1e-6)
    np.testing.assert_allclose(states["back/hidden_last"], back.last.hidden, atol=1e-6)


def test_collect_and_extract_agree_on_the_same_file(tmp_path, traced_once):
    model = shared(models.masked)
    model.save(tmp_path / "model.keras")
    collected = rnnstates.collect(model, TOKENS, layers="both", **PLENTY)
    extracted = rnnstates.extract(TOKENS, LENGTHS, weights=tmp_path / "model.keras", layer="both", **PLENTY)
    for direction in ("forward", "backward"):
        for name in ("hidden", "cell", "state", "state_std", "cell_max", "hidden_first", "cell_last", "hidden_sum"):
            ours, theirs = (
                states[f"{part}/{direction}/{name}"] for states, part in ((collected, "both"), (extracted, "layer0"))
            )
            np.testing.assert_allclose(ours, theirs, atol=3e-6, err_msg=name)


@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_a_file_holds_what_memory_holds_whatever_the_batches(layout, tmp_path, traced_once):
    model = shared(models.masked)
    held = rnnstates.collect(model, TOKENS, layout=layout, **PLENTY)
    with rnnstates.collect(
        model, TOKENS, layout=layout, output=tmp_path / "out.h5", batch_size=4, ids=list("abcdef"), **PLENTY
    ) as states:
        assert set(states.datasets) == {*held.datasets, "ids"}
        for name in held.datasets:
            np.testing.assert_allclose(states[name], held[name], atol=1e-6, err_msg=name)
    answer = rnnstates.verify(tmp_path / "out.h5")
    assert answer["checksums"] == "right"
    assert answer["reason"] == "the states are those of a whole Keras model, which is not run again"
    assert answer["datasets"]["both/forward/cell_std"]["pooled"] < 1e-6


def test_files_and_arrays_that_are_mapped_give_the_same(tmp_path, traced_once):
    model = shared(models.convolutional)
    np.save(tmp_path / "inputs.npy", FEATURES)
    usual = rnnstates.collect(model, FEATURES, LENGTHS)["lstm/cell"]
    mapped = np.load(tmp_path / "inputs.npy", mmap_mode="r")
    for inputs in (tmp_path / "inputs.npy", mapped):
        np.testing.assert_array_equal(rnnstates.collect(model, inputs, LENGTHS)["lstm/cell"], usual)


def test_the_model_is_as_it_was():
    model = randomise(models.convolutional())
    output = model(FEATURES).numpy()
    before, known = model.get_weights(), {id(layer): dict(layer.__dict__) for layer in model._flatten_layers()}
    rnnstates.collect(model, FEATURES, LENGTHS)
    with pytest.raises(rnnstates.BadWeights):
        rnnstates.collect(model, FEATURES[:, :, :2], LENGTHS)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    for layer in model._flatten_layers():
        assert layer.__dict__.keys() == known[id(layer)].keys()
        assert "call" not in layer.__dict__
    np.testing.assert_array_equal(model(FEATURES), output)


def test_the_graph_is_traced_once_for_all_batches(monkeypatch):
    from rnnstates.collecting.running import Runner

    traced = []
    original = Runner._run
    monkeypatch.setattr(Runner, "_run", lambda self, inputs: traced.append(1) or original(self, inputs))
    rnnstates.collect(randomise(models.convolutional()), FEATURES, LENGTHS, batch_size=1)
    assert len(traced) == 1


def test_no_sequences_at_all_give_empty_states(traced_once):
    states = rnnstates.collect(shared(models.convolutional), FEATURES[:0], LENGTHS[:0])
    assert states["lstm/cell"].shape == (0, STEPS, 5)


def test_a_model_in_bfloat16_is_stored_as_float32():
    layers = keras.layers
    model = keras.Sequential([keras.Input((None, 3)), layers.LSTM(5, name="lstm", dtype="mixed_bfloat16")])
    states = rnnstates.collect(randomise(model), FEATURES, LENGTHS)
    assert states["lstm/cell"].dtype == np.float32
    exact = computed(keras_copy(model), FEATURES)[1]
    np.testing.assert_allclose(states["lstm/cell"], up_to(LENGTHS, exact), atol=0.05)


def keras_copy(model):
    layer = keras.layers.LSTM(5)
    layer.build((None, None, 3))
    layer.set_weights(model.get_weights())
    return layer


def test_no_more_than_a_batch_of_the_input_is_read_at_once(tmp_path, monkeypatch, traced_once):
    read = []
    take = feeding.FileRows.take
    monkeypatch.setattr(
        feeding.FileRows, "take", lambda self, rows: read.append(rows.stop - rows.start) or take(self, rows)
    )
    np.save(tmp_path / "inputs.npy", np.repeat(FEATURES, 50, axis=0))
    rnnstates.collect(
        shared(models.convolutional), tmp_path / "inputs.npy", "full", output=tmp_path / "out.h5", batch_size=8
    ).close()
    # The first row, to learn shapes from, then batch after batch, each once.
    assert read == [1, *[8] * 37, 4]


def test_sequences_without_padding_are_refused_because_a_model_would_read_what_is_put_after_them(tmp_path):
    column = pyarrow.array([[[1.0, 2.0, 3.0]], []])
    parquet.write_table(pyarrow.table({"x": column}), tmp_path / "x.parquet")
    with pytest.raises(rnnstates.BadInput, match=r"column 'x': holds sequences without padding; expected a padded ar"):
        rnnstates.collect(shared(models.convolutional), tmp_path / "x.parquet")


def test_lengths_and_ids_beside_the_inputs_are_taken(tmp_path, traced_once):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for group, lengths in (("", [8] * 6), ("test/", LENGTHS)):
            file[f"{group}inputs"], file[f"{group}lengths"] = FEATURES, lengths
            file[f"{group}ids"] = [f"{group}{row}" for row in range(6)]
    states = rnnstates.collect(shared(models.convolutional), tmp_path / "x.h5", dataset="test/inputs")
    np.testing.assert_array_equal(states.lengths, LENGTHS)
    assert states[2].id == "test/2"


@pytest.mark.parametrize("choice", [{"every": 2}, {"last_steps": 2, "layout": "packed"}])
def test_some_units_and_steps_of_a_model_are_those_of_all(tmp_path, choice):
    model = shared(models.convolutional)
    whole = rnnstates.collect(model, FEATURES, LENGTHS, pool="mean,cell:last")
    options = {"pool": "mean,cell:last", "keep_units": "3,1", "output": tmp_path / "out.h5", **choice}
    with rnnstates.collect(model, FEATURES, LENGTHS, **options) as kept:
        for sequence, expected in zip(kept, whole, strict=True):
            assert sequence["input_lengths"] == expected.length
            np.testing.assert_array_equal(sequence["lstm/hidden"], expected["lstm/hidden"][sequence.steps][:, [3, 1]])
            np.testing.assert_array_equal(sequence["lstm/cell_last"], expected["lstm/cell_last"][[3, 1]])
        assert "lstm/hidden_last" not in kept.datasets
        assert kept.units("lstm/cell").tolist() == [3, 1]
    assert rnnstates.verify(tmp_path / "out.h5")["checksums"] == "right"
