"""A single number may scale what a layer reads: it is named as arrays are, but what only counts or trains is not."""

import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax.traverse_util import flatten_dict
from safetensors.torch import save_file

import rnnstates

from ..jax_models import KEY, randomised
from ..keras_models import keras_of
from ..keras_models import save as save_keras
from .models import FORMATS, READER

X = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("f4")


def lstm_state(**numbers):
    torch.manual_seed(3)
    return {**numbers, **{f"rnn.{name}": array for name, array in torch.nn.LSTM(3, 5).state_dict().items()}}


def beside(weights, **options):
    return [note for note in rnnstates.load_weights(weights, **options).notes if "not run" in note]


def save(state, path):
    torch.save(state, path) if path.suffix == ".pt" else save_file(state, path)
    return path


@pytest.mark.parametrize("file", ["m.pt", "m.safetensors"])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (1, 1, 1)])
def test_a_mean_and_a_deviation_are_named_in_every_shape(shape, file, tmp_path):
    alone = {"mean": torch.full(shape, 2.0), "std": torch.full(shape, 3.0)}
    (note,) = beside(save(lstm_state(**alone), tmp_path / file))
    size = " x ".join(map(str, shape or (1,)))
    assert f"not run: 'mean' ({size}), 'std' ({size}); if they stand before 'rnn'" in note
    inside = {f"scaler.{name}": array for name, array in alone.items()}
    (note,) = beside(save(lstm_state(**inside), tmp_path / file))
    assert f"not run: 'scaler' (mean {size}, std {size}); if" in note


class Gained(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(3.0))
        self.rnn = torch.nn.LSTM(3, 5, batch_first=True)

    def forward(self, values):
        return self.rnn(values * self.gain)[0]


def test_what_the_note_asks_for_gives_the_states_of_the_model():
    model = Gained()
    (note,) = beside(model)
    assert "not run: 'gain' (1); if" in note
    with torch.no_grad():
        expected = model(torch.from_numpy(X)).numpy()
    states = rnnstates.extract(X * 3, "full", weights=model)["hidden"]
    np.testing.assert_allclose(states, expected, atol=1e-6)


class GainedFlax(nn.Module):
    @nn.compact
    def __call__(self, values):
        return nn.RNN(nn.GRUCell(5))(values * self.param("gain", nn.initializers.ones, ()))


def gained_haiku(values):
    core = hk.LSTM(5)
    values = values * hk.get_parameter("gain", (), init=jnp.ones)
    return hk.dynamic_unroll(core, values, core.initial_state(2), time_major=False)[0]


@pytest.mark.parametrize("form", ["tree", "arrays by path"])
def test_a_gain_in_trees_of_jax(form):
    of_flax = randomised(jax.eval_shape(GainedFlax().init, KEY, X))
    of_haiku = randomised(jax.eval_shape(hk.transform(gained_haiku).init, KEY, X))
    if form == "arrays by path":
        of_flax = {"/".join(path): np.asarray(array) for path, array in flatten_dict(of_flax).items()}
        of_haiku = {
            f"{module}/{leaf}": np.asarray(array) for module, own in of_haiku.items() for leaf, array in own.items()
        }
    assert "not run: 'gain' (1); if" in beside(of_flax)[0]
    assert "not run: '~' (gain 1); if" in beside(of_haiku)[0]


@pytest.mark.parametrize("generation, kind", [(2, "legacy weights.h5"), (2, ".weights.h5"), (3, ".weights.h5")])
def test_a_normalisation_of_keras_over_all_axes(generation, kind, tmp_path):
    keras = keras_of(generation)
    norm = keras.layers.Normalization(axis=None)
    norm.adapt(X * 3 + 1)
    layer = keras.layers.LSTM(5, return_sequences=True)
    save_keras(keras.Sequential([keras.Input((None, 3)), norm, layer]), tmp_path / "m", kind)
    (note,) = beside(tmp_path / "m")
    assert "not run: 'normalization" in note
    assert note.endswith("rnnstates.collect(FILE, inputs) runs a whole model of Keras.")


def test_a_number_between_an_embedding_and_the_layer_is_left_to_the_user(tmp_path):
    state = lstm_state(gain=torch.tensor(3.0)) | {"embedding.weight": torch.ones(9, 3)}
    path = save(state, tmp_path / "m.pt")
    network = rnnstates.load_weights(path)
    assert network.embedding is None
    assert "with 'gain' (1) possibly between it and 'rnn' (embedding=NAME decides)" in network.no_embedding
    named = rnnstates.load_weights(path, embedding="embedding.weight")
    assert named.embedding is not None
    assert "'gain' (1)" in named.notes[-1]


SETTINGS = {
    **{name: torch.tensor(0.5) for name in ("lr", "learning_rate", "best_loss", "val_acc", "logit_scale", "epoch")},
    **{name: torch.tensor(5) for name in ("hidden_size", "classes", "norm.num_batches_tracked", "gain")},
    "version": torch.ones(1),
    "trainer.temperature": torch.ones(1),
}


@pytest.mark.parametrize("file", ["m.pt", "m.safetensors"])
def test_what_counts_or_trains_is_not_named(file, tmp_path):
    state = {**lstm_state(**SETTINGS), "embedding.weight": torch.ones(9, 3)}
    network = rnnstates.load_weights(save(state, tmp_path / file))
    assert network.embedding is not None
    assert len(network.notes) == 1


@pytest.mark.parametrize("form", FORMATS)
def test_a_head_of_one_score_gets_no_note(form, tmp_path):
    assert beside(FORMATS[form]([READER, ("Dense", "scores", 5, 1)], tmp_path)) == []
