"""Which table feeds a stack: only the one that can be meant, else the one that the caller names."""

import h5py
import numpy as np
import pytest
import torch
from torch.nn.utils import prune

import rnnstates

from ..keras_models import keras_of, randomise, save
from .models import FORMATS, READER, save_safetensors, save_torch, torch_modules

IDS = np.random.default_rng(0).integers(0, 7, (3, 5))
TABLE = ("Embedding", "embedding", 7, 3)


def saved(modules, folder):
    path = folder / "m.pt"
    torch.save(torch.nn.ModuleDict(modules).state_dict(), path)
    return path


def scoped(*layers):
    return torch_modules(layers)


def hidden(path, **options):
    return rnnstates.extract(IDS, "full", weights=path, **options)["hidden"]


def hidden_of_torch(modules, *names):
    """What PyTorch's own modules give, one behind the other."""
    values = torch.from_numpy(IDS)
    with torch.no_grad():
        for name in names:
            module = modules.get_submodule(name)
            values = module(values)[0] if isinstance(module, torch.nn.RNNBase) else module(values)
    return values.numpy()


def test_the_table_that_shares_most_of_the_name_is_taken(tmp_path):
    parts = {
        "source": scoped(("Embedding", "words", 7, 3), READER),
        "target": scoped(("Embedding", "words_embedding", 9, 3), ("GRU", "reader_lstm", 3, 4)),
    }
    parts["source"]["embed"] = parts["source"].pop("words")
    path = saved(parts, tmp_path)
    network = rnnstates.load_weights(path, layer="source.reader_lstm")
    np.testing.assert_array_equal(network.embedding, parts["source"]["embed"].weight.detach())
    assert f"{path}: embedding 'source.embed.weight' is assumed to feed 'source.reader_lstm'." in network.notes
    expected = hidden_of_torch(torch.nn.ModuleDict(parts), "source.embed", "source.reader_lstm")
    np.testing.assert_allclose(hidden(path, layer="source.reader_lstm"), expected, rtol=0, atol=1e-6)


def test_a_table_of_the_other_side_is_not_taken(tmp_path):
    parts = {"source": scoped(READER), "target": scoped(TABLE, ("LSTM", "reader", 3, 4))}
    path = saved(parts, tmp_path)
    network = rnnstates.load_weights(path, layer="source.reader_lstm")
    assert network.embedding is None
    assert network.notes == ()
    assert "closer to 'target.reader' than to 'source.reader_lstm'" in network.no_embedding
    assert rnnstates.load_weights(path, layer="target.reader").embedding is not None


def test_of_two_tables_that_fit_none_is_taken_and_both_are_named(tmp_path):
    path = save_torch([TABLE, ("Embedding", "other_embedding", 9, 3), READER], tmp_path)
    network = rnnstates.load_weights(path)
    assert network.embedding is None
    expected = (
        f"{path}: no embedding is used; found 'embedding.weight' (7 x 3), 'other_embedding.weight' (9 x 3), each "
        "fitting 'reader_lstm' (embedding=NAME decides)."
    )
    assert network.notes == (expected,)


def test_a_table_of_positions_is_no_table_of_tokens_and_stands_between(tmp_path):
    path = save_torch([TABLE, ("Embedding", "position_embedding", 40, 3), READER], tmp_path)
    network = rnnstates.load_weights(path)
    assert network.embedding is None
    assert "with 'position_embedding' (weight 40 x 3) possibly between it and 'reader_lstm'" in network.no_embedding


def test_a_table_is_not_taken_for_a_stack_that_another_one_may_feed(tmp_path):
    parts = {
        "embedding": torch.nn.Embedding(7, 3),
        "rnns": torch.nn.ModuleList([torch.nn.GRU(3, 3), torch.nn.GRU(3, 3)]),
    }
    path = saved(parts, tmp_path)
    upper = rnnstates.load_weights(path, layer="rnns.1")
    assert upper.embedding is None
    assert "which may feed 'rnns.1' through 'rnns.0' (embedding=NAME decides)" in upper.no_embedding
    assert rnnstates.load_weights(path, layer="rnns.0").embedding is not None


def test_two_directions_of_one_name_both_read_the_table(tmp_path):
    path = save_torch([TABLE, ("LSTM", "lstm_fw", 3, 3), ("LSTM", "lstm_bw", 3, 3)], tmp_path)
    for layer in ("lstm_fw", "lstm_bw"):
        assert rnnstates.load_weights(path, layer=layer).embedding is not None


@pytest.mark.parametrize(
    "between", [("Conv", "cnn", 3, 3), ("LayerNorm", "norm", 3, 3), ("Dense", "prenet", 3, 3), ("Conv", "cnn", 3, 6)]
)
def test_a_table_is_not_taken_past_modules_that_may_stand_between(between, tmp_path):
    path = save_torch([TABLE, between, READER], tmp_path)
    network = rnnstates.load_weights(path)
    assert network.embedding is None
    assert f"'{between[1]}' (" in network.no_embedding
    assert "possibly between it and 'reader_lstm' (embedding=NAME decides)" in network.no_embedding
    assert rnnstates.load_weights(path, embedding="embedding").embedding.shape == (7, 3)


def test_a_head_does_not_stand_between(tmp_path):
    path = save_torch([TABLE, READER, ("Dense", "scores", 5, 7)], tmp_path)
    assert rnnstates.load_weights(path).embedding is not None


def test_a_table_of_another_width_is_named_as_not_run(tmp_path):
    path = save_torch([("Embedding", "embedding", 7, 2), ("Dense", "proj", 2, 3), READER], tmp_path)
    network = rnnstates.load_weights(path)
    assert "not of the width 3 that 'reader_lstm' reads" in network.no_embedding
    (note,) = network.notes
    assert "not run: 'embedding' (weight 7 x 2), 'proj' (weight 3 x 2, bias 3); if" in note


def test_a_table_of_another_name_is_listed_and_taken_if_named(tmp_path):
    modules = {"encoder": torch.nn.Embedding(7, 3), "rnn": torch.nn.LSTM(3, 5, batch_first=True)}
    path = saved(modules, tmp_path)
    network = rnnstates.load_weights(path)
    assert network.embedding is None
    assert "no array is called an embedding; found 'encoder.weight' (7 x 3)" in network.no_embedding
    expected = hidden_of_torch(torch.nn.ModuleDict(modules), "encoder", "rnn")
    for name in ("encoder", "encoder.weight"):
        np.testing.assert_allclose(hidden(path, embedding=name), expected, rtol=0, atol=1e-6)
    notes = rnnstates.load_weights(path, embedding="encoder").notes
    assert notes[0] == f"{path}: 'encoder.weight' is used as the embedding, as given."


@pytest.mark.parametrize("form", ["PyTorch", "safetensors"])
def test_none_takes_no_table(form, tmp_path):
    path = FORMATS[form]([TABLE, READER], tmp_path)
    network = rnnstates.load_weights(path, embedding="none")
    assert network.embedding is None
    assert network.notes == ()
    assert network.no_embedding == f'{path}: embedding="none" leaves it out.'


@pytest.mark.parametrize("kind", [".keras", ".weights.h5", "legacy model.h5", "legacy weights.h5"])
def test_the_option_works_for_files_of_keras(kind, tmp_path):
    keras = keras_of(3)
    ids = keras.Input((None,), dtype="int32")
    words = keras.layers.Embedding(7, 3, name="words")(ids)
    added = keras.layers.Add()([words, keras.layers.Embedding(7, 3, name="more")(ids)])
    model = randomise(keras.Model(ids, keras.layers.LSTM(5, name="reader")(added)))
    save(model, tmp_path / "m", kind)
    network = rnnstates.load_weights(tmp_path / "m", embedding="more")
    np.testing.assert_array_equal(network.embedding, model.get_layer("more").get_weights()[0])


def test_an_unknown_name_or_one_of_another_width_is_refused(tmp_path):
    path = save_torch([TABLE, READER, ("Dense", "head", 5, 2)], tmp_path)
    with pytest.raises(
        rnnstates.OptionError,
        match=rf"embedding='words': is not an array of {path}; expected one of width 3: 'embedding.weight'",
    ):
        rnnstates.load_weights(path, embedding="words")
    with pytest.raises(rnnstates.BadWeights, match=r"'head.weight' has shape \(2, 5\); expected \(vocabulary, 3\)"):
        rnnstates.load_weights(path, embedding="head")


def test_the_choice_is_recorded_and_verified(tmp_path):
    modules = {"encoder": torch.nn.Embedding(7, 3), "rnn": torch.nn.LSTM(3, 5, batch_first=True)}
    path = saved(modules, tmp_path)
    np.save(tmp_path / "ids.npy", IDS)
    output = tmp_path / "o.h5"
    with rnnstates.extract(tmp_path / "ids.npy", "full", weights=path, embedding="encoder", output=output) as states:
        assert states.provenance["weights"]["options"]["embedding"] == "encoder"
    assert rnnstates.verify(output)["recomputed"]


def test_the_error_for_ids_lists_the_tables_and_why_none_is_used(tmp_path):
    path = save_torch([TABLE, ("Conv", "cnn", 3, 3), READER], tmp_path)
    reason = (
        r"[Tt]oken ids need (weights with )?an embedding.*no embedding is used; found 'embedding.weight' \(7 x 3\), "
        r"with 'cnn' \(weight 3 x 3 x 2, bias 3\) possibly between it and 'reader_lstm' \(embedding=NAME decides\)\."
    )
    with pytest.raises(rnnstates.BadInput, match=reason):
        rnnstates.extract(IDS, "full", weights=path)
    with pytest.raises(rnnstates.BadInput, match=reason):
        rnnstates.StateExtractor(weights=path).fit(list(IDS))
    with h5py.File(tmp_path / "ids.h5", "w") as file:
        file["tokens"] = IDS
    with pytest.raises(rnnstates.BadInput, match=r"ids need an embedding.*found 'embedding.weight'"):
        rnnstates.extract(tmp_path / "ids.h5", "full", weights=path)


def test_an_estimator_takes_the_option_too(tmp_path):
    path = save_torch([TABLE, ("LayerNorm", "norm", 3, 3), READER], tmp_path)
    vectors = rnnstates.StateExtractor(weights=path, embedding="embedding").fit_transform(list(IDS))
    expected = rnnstates.extract(IDS, "full", weights=path, embedding="embedding")["hidden_mean"]
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-6)


def test_the_table_of_a_configured_model_that_does_not_feed_the_layer_is_listed(tmp_path):
    keras = keras_of(3)
    ids = keras.Input((None,), dtype="int32")
    words = keras.layers.Dense(3, activation="relu")(keras.layers.Embedding(7, 3, name="words")(ids))
    keras.Model(ids, keras.layers.LSTM(5, name="reader")(words)).save(tmp_path / "m.keras")
    with pytest.raises(rnnstates.BadInput, match=r"no embedding feeds 'reader' directly; found 'words' \(embedding="):
        rnnstates.extract(IDS, "full", weights=tmp_path / "m.keras")


def test_how_a_file_is_read_is_not_passed_over_where_a_network_is_given(tmp_path):
    network = rnnstates.load_weights(save_torch([TABLE, READER], tmp_path))
    with pytest.raises(
        rnnstates.OptionError, match="embedding='none': applies to reading a weights file, but a Network"
    ):
        rnnstates.extract(IDS, "full", weights=network, embedding="none")
    with pytest.raises(rnnstates.OptionError, match="layer='other': applies to"):
        rnnstates.extract(IDS, "full", weights=network, layer="other")


def test_a_head_that_gives_the_width_of_the_table_does_not_stand_between(tmp_path):
    path = save_safetensors([TABLE, READER, ("Dense", "fc", 5, 3)], tmp_path)
    assert rnnstates.load_weights(path).embedding is not None


def test_a_table_in_groups_of_hdf5_is_called_after_its_module(tmp_path):
    modules = {"embedding": torch.nn.Embedding(7, 3), "rnn": torch.nn.LSTM(3, 5, batch_first=True)}
    with h5py.File(tmp_path / "m.h5", "w") as file:
        for name, array in torch.nn.ModuleDict(modules).state_dict().items():
            file[name.replace(".", "/")] = array.numpy()
    expected = hidden_of_torch(torch.nn.ModuleDict(modules), "embedding", "rnn")
    states = hidden(tmp_path / "m.h5", convention="torch")
    np.testing.assert_allclose(states, expected, rtol=0, atol=1e-6)


COMPUTED = {
    "weight_norm": torch.nn.utils.weight_norm,
    "spectral_norm": torch.nn.utils.spectral_norm,
    "pruning": lambda module: prune.l1_unstructured(module, "weight", 0.5),
    "a parametrisation": torch.nn.utils.parametrizations.spectral_norm,
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("how", COMPUTED)
def test_a_table_that_is_computed_is_named_when_ids_are_given(how, tmp_path):
    parts = torch.nn.ModuleDict({"embedding": torch.nn.Embedding(9, 3), "rnn": torch.nn.LSTM(3, 5)})
    COMPUTED[how](parts["embedding"])
    torch.save(parts.state_dict(), tmp_path / "m.pt")
    with pytest.raises(rnnstates.BadInput, match=r"embedding is computed from 'embedding\..*remove_weight_norm"):
        rnnstates.extract(np.ones((2, 4), int), "full", weights=tmp_path / "m.pt")
