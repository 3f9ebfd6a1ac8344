"""What a file holds beside the layers that run is named, by every format; heads, slots and counters are not."""

import json

import numpy as np
import pytest
import torch

import rnnstates
from rnnstates.weights.load import describe_weights

from ...cli.running import rnnstates as command
from .models import FORMATS, READER, save_safetensors, save_torch, torch_modules

FRONTS = {
    "a Dense": [("Dense", "prenet", 4, 3)],
    "a Dense of the layer's own width": [("Dense", "prenet", 3, 3)],
    "two of them": [("Dense", "first", 6, 5), ("Dense", "prenet", 5, 3)],
    "a normaliser": [("Norm", "prenet", 3, 3)],
    "a layer norm": [("LayerNorm", "prenet", 3, 3)],
    "a convolution": [("Conv", "prenet", 4, 3)],
}
HEADS = [("Dense", "dense", 5, 7), ("Dense", "scores", 7, 2)]


def beside(path, **options):
    """Give the notes that name what is not run."""
    return [note for note in rnnstates.load_weights(path, **options).notes if "not run" in note]


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("form", FORMATS)
def test_what_may_stand_before_the_layer_is_named_and_its_head_is_not(form, front, tmp_path):
    path = FORMATS[form]([*FRONTS[front], READER, *HEADS], tmp_path)
    (note,) = beside(path)
    for _, name, *_ in FRONTS[front]:
        assert f"{name}' (" in note
    assert "scores" not in note
    assert "'dense'" not in note
    assert "before 'reader" in note
    whole = "; rnnstates.collect(FILE, inputs) runs a whole model of Keras" if "Keras" in form else ""
    assert note.endswith(f"its inputs must already have passed through them{whole}.")


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_of_the_layer_and_its_heads_gets_no_such_note(form, tmp_path):
    path = FORMATS[form]([READER, *HEADS], tmp_path)
    assert beside(path) == []


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_of_the_layer_alone_gets_no_such_note(form, tmp_path):
    assert beside(FORMATS[form]([("GRU", "reader", 3, 5)], tmp_path)) == []


def test_the_note_gives_shapes(tmp_path):
    path = save_torch([("Norm", "norm", 4, 4), ("Dense", "proj", 4, 3), READER], tmp_path)
    expected = (
        f"{path}: also in the file, and not run: 'norm' (weight 4, bias 4, running_mean 4, running_var 4), 'proj' "
        "(weight 3 x 4, bias 3); if they stand before 'reader_lstm', its inputs must already have passed through them."
    )
    assert beside(path) == [expected]


def test_of_many_modules_eight_are_named(tmp_path):
    path = save_torch([("Dense", f"block{number}", 3, 3) for number in range(11)] + [READER], tmp_path)
    (note,) = beside(path)
    assert "'block7' (weight 3 x 3, bias 3) and 3 more modules; if" in note
    assert "block8" not in note


def test_a_forecast_of_the_inputs_is_a_head_where_the_order_or_the_name_says_so(tmp_path):
    behind = [READER, ("Dense", "fc", 5, 8), ("Dense", "fc2", 8, 3)]
    assert beside(save_torch(behind, tmp_path)) == []
    assert len(beside(save_torch([*behind[1:], READER], tmp_path))) == 1
    named = [("Dense", "output", 5, 3), READER]
    assert beside(save_safetensors(named, tmp_path)) == []
    assert len(beside(save_torch(named, tmp_path))) == 1


def test_another_stack_is_named_where_its_states_may_be_the_inputs(tmp_path):
    path = save_torch([("GRU", "lower", 4, 3), READER, ("LSTM", "other", 3, 6)], tmp_path)
    (note,) = beside(path, layer="reader_lstm")
    assert "not run: 'lower' (GRU 4 -> 3); if" in note
    assert beside(path, layer="lower") == []


def test_numbered_layers_feed_upwards_only(tmp_path):
    path = save_torch([("LSTM", "rnn1", 3, 3), ("LSTM", "rnn2", 3, 3)], tmp_path)
    assert beside(path, layer="rnn1") == []
    (note,) = beside(path, layer="rnn2")
    assert "'rnn1' (LSTM 3 -> 3)" in note


def test_what_lies_beside_the_decoder_does_not_stand_before_the_encoder(tmp_path):
    parts = torch.nn.ModuleDict(
        {
            "encoder": torch_modules([("Dense", "prenet", 6, 3), READER]),
            "decoder": torch_modules([("Dense", "attention", 8, 3), ("GRU", "reader", 3, 5)]),
        }
    )
    torch.save(parts.state_dict(), tmp_path / "m.pt")
    (note,) = beside(tmp_path / "m.pt", layer="encoder.reader_lstm")
    assert "'encoder.prenet'" in note
    assert "decoder" not in note
    (note,) = beside(tmp_path / "m.pt", layer="decoder.reader")
    assert "'decoder.attention'" in note


def test_the_linear_layer_inside_an_attention_decoder_is_reported(tmp_path):
    class Decoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(9, 4)
            self.attn, self.attn_combine = torch.nn.Linear(8, 7), torch.nn.Linear(8, 4)
            self.gru, self.out = torch.nn.GRU(4, 4), torch.nn.Linear(4, 9)

    torch.save(Decoder().state_dict(), tmp_path / "m.pt")
    network = rnnstates.load_weights(tmp_path / "m.pt")
    assert network.embedding is None
    assert "with 'attn_combine' (weight 4 x 8, bias 4) possibly between it and 'gru'" in network.no_embedding
    assert any("'attn_combine'" in note and "not run" in note for note in network.notes)


def test_what_training_leaves_in_a_checkpoint_is_not_named(tmp_path):
    arrays = {f"rnn.{name}": array.numpy() for name, array in torch.nn.LSTM(3, 5).state_dict().items()}
    slots = {f"optimizer.state.{name}.exp_avg": array for name, array in arrays.items()}
    counters = {"norm.num_batches_tracked": np.float32(3), "global_step": np.ones(1, "f4")}
    np.savez(tmp_path / "m.npz", **arrays, **slots, **counters)
    assert beside(tmp_path / "m.npz") == []


def test_extract_convert_and_info_say_it(tmp_path):
    path = save_torch([("Dense", "prenet", 4, 3), READER], tmp_path)
    np.save(tmp_path / "x.npy", np.ones((2, 4, 3), "f4"))
    runs = (
        ["extract", tmp_path / "x.npy", tmp_path / "o.h5", "--lengths", "full", "--weights", path],
        ["convert", path, tmp_path / "o.safetensors"],
        ["info", path],
    )
    for run in runs:
        done = command(*run)
        assert done.returncode == 0, done.stderr
        assert b"also in the file, and not run: 'prenet' (weight 3 x 4, bias 3)" in done.stdout + done.stderr
    with rnnstates.open(tmp_path / "o.h5") as states:
        assert "'prenet'" in json.dumps(states.provenance["notes"])
    assert "'prenet'" in describe_weights(path)["stacks"][0]["notes"][0]
