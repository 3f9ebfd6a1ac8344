"""Models as people build them: what is named as standing before the layer, and whether its embedding is used."""

import time

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import GRU, LSTM, Conv1d, Embedding, LayerNorm, Linear, ModuleDict, ModuleList

import rnnstates


def both(features, units):
    return LSTM(features, units, bidirectional=True)


AUTOENCODER = {
    "encoder": ModuleDict({"lstm": LSTM(4, 8), "latent": Linear(8, 3)}),
    "decoder": ModuleDict({"lstm": LSTM(3, 8)}),
}
# The modules, the layer to run, what is named (all of it), whether the embedding is used.
MODELS = {
    "attention decoder": (
        {"embedding": Embedding(20, 8), "combine": Linear(16, 8), "gru": GRU(8, 8), "out": Linear(8, 20)},
        "gru", ["combine"], False,
    ),
    "prenet whose last layer is called output": (
        {"pre": ModuleDict({"fc1": Linear(16, 8), "output": Linear(8, 6)}), "lstm": LSTM(6, 8)},
        "lstm", ["pre.fc1", "pre.output"], False,
    ),
    "attention before the layer": (
        {"attn": torch.nn.MultiheadAttention(8, 2), "lstm": LSTM(8, 8)}, "lstm", ["attn", "attn.out_proj"], False,
    ),
    "time features beside others": (
        {"in_proj": Linear(1, 8), "lstm": LSTM(16, 9), "fc": Linear(9, 1)}, "lstm", ["in_proj"], False,
    ),
    "decoder of an autoencoder": (
        AUTOENCODER,
        "decoder.lstm", ["encoder.lstm", "encoder.latent"], False,
    ),
    "encoder of an autoencoder": (
        AUTOENCODER,
        "encoder.lstm", [], False,
    ),
    "words and characters": (
        {"char_emb": Embedding(9, 5), "char_lstm": both(5, 5), "char_proj": Linear(10, 8), "word_lstm": LSTM(8, 8)},
        "word_lstm", ["char_emb", "char_lstm", "char_proj"], False,
    ),
    "two inputs that are joined": (
        {"audio": LSTM(6, 4), "text": LSTM(5, 3), "fusion": LSTM(7, 8)}, "fusion", ["audio", "text"], False,
    ),
    "pyramid that joins steps": ({"rnn1": both(6, 4), "rnn2": both(16, 4)}, "rnn2", ["rnn1"], False),
    "embedding with a norm": (
        {"tok_embeddings": Embedding(20, 6), "embed_norm": LayerNorm(6), "lstm": LSTM(6, 9)},
        "lstm", ["embed_norm"], False,
    ),
    "values and positions": (
        {"pos_embedding": Embedding(20, 6), "value_embedding": Linear(4, 6, bias=False), "lstm": LSTM(6, 9)},
        "lstm", ["value_embedding", "pos_embedding"], False,
    ),
    "recogniser whose output layer is called embedding": (
        {"cnn": Conv1d(1, 16, 3), "rnn": ModuleDict({"rnn": both(16, 8), "embedding": Linear(16, 8)})},
        "rnn.rnn", ["cnn"], False,
    ),
    "names that begin alike": (
        {"rnn_emb": Embedding(20, 6), "conv": Conv1d(6, 6, 3), "rnn": LSTM(6, 8)}, "rnn", ["conv"], False,
    ),
    "optical flow": ({"opt_proj": Linear(5, 6), "opt_lstm": LSTM(6, 8)}, "opt_lstm", ["opt_proj"], False),
    "convolution over the states": (
        {"embedding": Embedding(20, 6), "lstm": both(6, 8), "conv": Conv1d(16, 4, 3), "fc": Linear(4, 2)},
        "lstm", [], True,
    ),
    "sequence to sequence": (
        {"embedding": Embedding(20, 6), "encoder": GRU(6, 6), "decoder": GRU(6, 6), "out": Linear(6, 20)},
        "encoder", [], True,
    ),
    "language model with two layers of its own": (
        {"embedding": Embedding(20, 6), "rnns": ModuleList([LSTM(6, 8), LSTM(8, 6)]), "decoder": Linear(6, 20)},
        "rnns.0", [], True,
    ),
    "input layer that is defined behind, beside an output as wide as the inputs": (
        {"lstm": LSTM(6, 8), "fc": Linear(4, 6), "out": Linear(8, 4)}, "lstm", ["fc"], False,
    ),
    "input layer that is defined behind and called so": (
        {"gru": GRU(6, 8), "out": Linear(8, 2), "input_layer": Linear(8, 6)}, "gru", ["input_layer"], False,
    ),
    "convolution that is defined behind": (
        {"lstm": LSTM(6, 8), "conv": Conv1d(3, 6, 3), "out": Linear(8, 3)}, "lstm", ["conv"], False,
    ),
    "embedding, and a prenet that is defined behind": (
        {"embedding": Embedding(20, 6), "lstm": LSTM(6, 8), "prenet": Linear(6, 6)}, "lstm", ["prenet"], False,
    ),
    "lower layer that is defined behind": ({"rnn2": LSTM(14, 8), "rnn1": LSTM(6, 8)}, "rnn2", ["rnn1"], False),
    "heads that read what is not theirs by width": (
        {"embedding": Embedding(20, 6), "lstm": both(6, 4), "tag": Linear(8, 5), "crf": Linear(7, 7, bias=False),
         "postnet": Conv1d(9, 12, 5)},
        "lstm", [], True,
    ),
    "wide layer behind": (
        {"embedding": Embedding(20, 8), "lstm": LSTM(8, 8), "fc1": Linear(8, 8), "fc2": Linear(8, 20)},
        "lstm", ["fc1"], True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_what_stands_before_is_named_and_the_embedding_is_its_own(name, tmp_path):
    modules, layer, named, embedded = MODELS[name]
    torch.save(ModuleDict(modules).state_dict(), tmp_path / "m.pt")
    network = rnnstates.load_weights(tmp_path / "m.pt", layer=layer)
    notes = [note for note in network.notes if "not run" in note]
    found = [part.split("'")[0] for part in "".join(notes).split("; if")[0].split(" '")[1:]]
    assert found == named
    assert (network.embedding is not None) == embedded


def test_the_tagger_of_pytorchs_tutorial_keeps_its_embedding(tmp_path):
    model = ModuleDict({"word_embeds": Embedding(50, 5), "lstm": both(5, 2), "hidden2tag": Linear(4, 5)})
    model.transitions = torch.nn.Parameter(torch.randn(5, 5))
    torch.save(model.state_dict(), tmp_path / "m.pt")
    network = rnnstates.load_weights(tmp_path / "m.pt")
    assert network.embedding is not None
    assert len(network.notes) == 1


def test_rows_that_inputs_are_scaled_by_are_named_wherever_they_are_defined(tmp_path):
    state = {f"gru.{name}": array for name, array in GRU(6, 8).state_dict().items()}
    state |= {"fc.weight": torch.ones(3, 8), "scaler.mean": torch.ones(1, 1, 6), "scaler.std": torch.ones(1, 1, 6)}
    torch.save(state, tmp_path / "m.pt")
    (note,) = rnnstates.load_weights(tmp_path / "m.pt").notes
    assert "not run: 'scaler' (mean 1 x 1 x 6, std 1 x 1 x 6); if" in note


def test_many_modules_take_time_in_proportion(tmp_path):
    """Eight thousand arrays take a second; where each is held against each, half a minute."""
    arrays = {f"x.{number}.weight": torch.zeros(number % 30 + 10, number % 30 + 9) for number in range(8_000)}
    arrays |= {f"lstm.{name}": array for name, array in LSTM(6, 8).state_dict().items()}
    save_file(arrays, tmp_path / "m.safetensors")
    began = time.process_time()
    (note,) = rnnstates.load_weights(tmp_path / "m.safetensors").notes
    assert note.count("more modules") == 1
    assert time.process_time() - began < 10
