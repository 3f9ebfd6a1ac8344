"""PyTorch checkpoints with company: objects beside the weights, weights under keys of one's own, two candidates."""

import argparse
import collections
import datetime
import decimal
import fractions
import pathlib
import types
import uuid
import warnings

import numpy as np
import pytest
import torch

import rnnstates

from .running import assert_same_states
from .test_torch import oracle


def module(kind=torch.nn.LSTM, features=3, units=5, seed=0):
    torch.manual_seed(seed)
    return kind(features, units)


def state(prefix="", **options):
    return {f"{prefix}{name}": value for name, value in module(**options).state_dict().items()}


def saved(folder, content, **options):
    torch.save(content, folder / "w.pt", **options)
    return folder / "w.pt"


class WindowsLike:
    """A path as Windows pickles it."""

    def __reduce__(self):
        return pathlib.WindowsPath, ("C:\\", "runs")


COMPANY = {
    "a scalar": np.float64(0.5),
    "scalars": {"best": np.float32(1), "epoch": np.int64(3), "flag": np.bool_(True), "name": np.str_("a")},
    "an array": np.arange(6.0).reshape(2, 3),
    "an array of whole numbers": np.arange(6),
    "an array of text": np.array(["a", "bc"]),
    "an array of objects": np.array([None, "a", {"b": 1}], object),
    "an array of records": np.zeros(2, [("a", "f4"), ("b", "i8")]),
    "a dtype": np.dtype("<f8"),
    "classes of numbers": [np.float32, int, float, np.dtypes.Float64DType],
    "options": argparse.Namespace(rate=0.1, root=pathlib.PurePosixPath("runs"), inner=argparse.Namespace(a=[1])),
    "other options": types.SimpleNamespace(a=1),
    "a path": pathlib.Path("runs") / "a",
    "a path of Windows": pathlib.PureWindowsPath("C:\\runs"),
    "a default": collections.defaultdict(list, {"loss": [1.0, 2.0]}),
    "defaults of defaults": collections.defaultdict(dict, {1: collections.defaultdict(int, {"a": 2})}),
    "an ordered mapping": collections.OrderedDict(a=1),
    "numbers of other kinds": [decimal.Decimal("1.5"), fractions.Fraction(1, 3), 1j],
    "the name of a run": uuid.UUID(int=5),
    "ranges": [range(3), slice(1, 2)],
    "no bytes": b"",
    "a queue": collections.deque([1.0, 2.0], maxlen=3),
    "a count": collections.Counter("abca"),
    "a time": datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC),
    "a shape": torch.ones(2, 3).shape,
    "a dtype of PyTorch": torch.float16,
    "a device": torch.device("cpu"),
    "a version": torch.__version__,
    "random numbers": {"torch": torch.get_rng_state(), "numpy": np.random.RandomState(0).get_state()},
}


@pytest.mark.parametrize("old_form", [False, True])
@pytest.mark.parametrize("name", COMPANY)
def test_harmless_objects_beside_the_weights_are_passed_over(name, old_form, tmp_path):
    content = {"state_dict": state("rnn."), name: COMPANY[name], "epoch": 3}
    path = saved(tmp_path, content, _use_new_zipfile_serialization=not old_form)
    network = rnnstates.load_weights(path)
    np.testing.assert_array_equal(network.layers[0].forward.kernel.T, module().weight_ih_l0.detach().numpy())
    assert network.layers[0].name == "rnn"
    assert network.notes == ()


def test_a_path_of_another_system_is_read(tmp_path):
    path = saved(tmp_path, {"model": state(), "runs": WindowsLike()})
    assert rnnstates.load_weights(path).layers[0].forward.units == 5


def test_all_company_together_gives_the_states_of_the_module(tmp_path):
    path = saved(tmp_path, {"state_dict": state(), **COMPANY})
    assert_same_states(path, oracle(module()))


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "f2"])
def test_weights_that_are_arrays_of_numpy_are_read(dtype, tmp_path):
    arrays = {name: value.numpy().astype(dtype) for name, value in state("rnn.", kind=torch.nn.GRU).items()}
    arrays["rnn.weight_hh_l0"] = np.asfortranarray(arrays["rnn.weight_hh_l0"])
    path = saved(tmp_path, {"weights": arrays})
    read = rnnstates.load_weights(path).layers[0].forward
    np.testing.assert_array_equal(read.recurrent_bias, _gates(arrays["rnn.bias_hh_l0"]))
    np.testing.assert_array_equal(read.recurrent_kernel, _gates(arrays["rnn.weight_hh_l0"].T))


def _gates(values):
    """Turn PyTorch's order of a GRU's gates into ours: update before reset."""
    reset, update, candidate = np.split(values, 3, axis=-1)
    return np.concatenate([update, reset, candidate], axis=-1)


@pytest.mark.parametrize("dtype", [np.int64, object, "c8"])
def test_an_array_of_numpy_that_is_no_plain_one_is_refused_where_it_is_a_weight(dtype, tmp_path):
    arrays = {name: value.numpy() for name, value in state("rnn.").items()}
    path = saved(tmp_path, arrays | {"rnn.weight_hh_l0": arrays["rnn.weight_hh_l0"].astype(dtype)})
    with pytest.raises(rnnstates.BadWeights, match=r"'rnn.weight_hh_l0': is a NumPy array, but not a plain one"):
        rnnstates.load_weights(path)


NESTED = {
    "a key of one's own": ({"encoder": state()}, "encoder"),
    "a key before a module's": ({"encoder": state("rnn.")}, "encoder.rnn"),
    "keys in keys": ({"run": {"best": {"encoder": state()}}}, "run.best.encoder"),
    "usual keys around others": ({"checkpoint": {"state_dict": {"tagger": state()}}}, "checkpoint.tagger"),
    "a list": ({"layers": [{"a": 1}, state()]}, "layers.1"),
    "a tuple at the top": ((3, state("rnn.")), "1.rnn"),
    "numbers as keys": ({0: state("rnn.")}, "0.rnn"),
    "options of a program": ({"run": argparse.Namespace(best=state("rnn."))}, "run.best.rnn"),
    "options alone": (types.SimpleNamespace(model=state("rnn.")), "rnn"),
    "only usual keys": ({"model": {"state_dict": state("rnn.")}}, "rnn"),
}


@pytest.mark.parametrize("case", NESTED)
def test_keys_that_lead_to_the_weights_become_their_prefix(case, tmp_path):
    content, name = NESTED[case]
    path = saved(tmp_path, content)
    assert rnnstates.load_weights(path).layers[0].name == name
    assert_same_states(path, oracle(module()))


PAIRS = {
    "an average beside": ("state_dict", "ema_state_dict", "rnn"),
    "a teacher": ("model", "teacher", "rnn"),
    "two halves": ("encoder", "decoder", "rnn"),
    "two usual keys": ("net", "network", "cells.rnn"),
}


@pytest.mark.parametrize("case", PAIRS)
def test_two_candidates_are_named_and_either_can_be_chosen(case, tmp_path):
    first, second, name = PAIRS[case]
    content = {first: state(f"{name}.", seed=1), second: state(f"{name}.", seed=2)}
    path = saved(tmp_path, content)
    choices = f"layer='{first}.{name}' (LSTM), layer='{second}.{name}' (LSTM)"
    with pytest.raises(rnnstates.BadWeights) as refused:
        rnnstates.load_weights(path)
    assert f"has 2 recurrent stacks; choose one: {choices}" in str(refused.value)
    for seed, key in ((1, first), (2, second)):
        assert_same_states(path, oracle(module(seed=seed)), layer=f"{key}.{name}")
        assert rnnstates.load_weights(path, layer=key).layers[0].name == f"{key}.{name}"


def test_usual_keys_around_two_candidates_are_left_out(tmp_path):
    content = {"model": {"encoder": state(seed=1), "decoder": state(seed=2)}}
    assert {stack["layer"] for stack in rnnstates.describe(saved(tmp_path, content))["stacks"]} == {
        "encoder",
        "decoder",
    }
    content = {"encoder": {"state_dict": state(seed=1)}, "decoder": {"state_dict": state(seed=2)}}
    assert_same_states(saved(tmp_path, content), oracle(module(seed=2)), layer="decoder")


def test_one_mapping_under_two_keys_is_both_and_under_a_usual_key_that_one(tmp_path):
    shared = state("rnn.")
    assert_same_states(saved(tmp_path, {"a": shared, "b": shared}), oracle(module()), layer="b.rnn")
    path = saved(tmp_path, {"best": shared, "state_dict": shared})
    assert rnnstates.load_weights(path).layers[0].name == "rnn"


def test_the_state_of_an_optimizer_is_no_candidate(tmp_path):
    rnn = module()
    optimizer = torch.optim.Adam(rnn.parameters())
    rnn(torch.ones(2, 1, 3))[0].sum().backward()
    optimizer.step()
    names = [name for name, _ in rnn.named_parameters()]
    moments = {name: optimizer.state[getattr(rnn, name)]["exp_avg"] for name in names}
    content = {
        "model": {f"rnn.{name}": value for name, value in rnn.state_dict().items()},
        "optimizer": optimizer.state_dict(),
        "mine": {"state": moments, "param_groups": []},
        "exp_avg": {f"rnn.{name}": value for name, value in moments.items()},
        "optimizer_state_dict": moments,
        "scheduler": {"last": torch.ones(2, 2)},
        "opt": {"state": [{"grad_avg": torch.ones(20, 3)}]},
        "opt_g": {"state": [{"grad_avg": torch.ones(20, 3)}]},
        "g_optim": moments,
    }
    described = rnnstates.describe(saved(tmp_path, content))
    assert described["selected"] == "rnn"
    assert described["present"] == ["rnn (LSTM)"]


def test_a_part_of_a_model_may_be_called_like_an_optimizer(tmp_path):
    path = saved(tmp_path, {"opt_flow": state(seed=1), "rgb": state(seed=2)})
    assert [stack["layer"] for stack in rnnstates.describe(path)["stacks"]] == ["opt_flow", "rgb"]
    assert_same_states(path, oracle(module(seed=1)), layer="opt_flow")
    assert rnnstates.load_weights(saved(tmp_path, {"optim_net": state("rnn.")})).layers[0].name == "optim_net.rnn"


def test_other_modules_under_their_own_keys_are_listed_and_their_copies_are_not(tmp_path):
    head = torch.nn.Linear(5, 2).state_dict()
    content = {
        "state_dict": state("rnn.") | {f"head.{name}": value for name, value in head.items()},
        "critic": head,
        "average": {f"head.{name}": value for name, value in head.items()},
        "losses": torch.ones(7),
        "confusion": torch.ones(2, 2),
    }
    present = rnnstates.describe(saved(tmp_path, content))["present"]
    assert present == ["rnn (LSTM)", "head.weight", "head.bias", "critic.weight", "critic.bias"]


def test_arrays_beside_the_key_of_a_module_at_its_top_are_not_taken_for_its_own(tmp_path):
    path = saved(tmp_path, {"state_dict": state(), "confusion": torch.ones(2, 2), "table": np.ones((2, 2))})
    assert_same_states(path, oracle(module()))
    assert rnnstates.load_weights(path).notes == ()


def test_tensors_without_a_shape_and_arrays_of_numpy_may_lie_beside(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nested tensors may change
        ragged = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    content = {"state_dict": state("rnn."), "parts": {"ragged": ragged}, "tables": {"words": np.ones((7, 3), "f4")}}
    present = rnnstates.describe(saved(tmp_path, content))["present"]
    assert present == ["rnn (LSTM)", "tables.words"]


def test_plain_names_are_found_below_keys_too(tmp_path):
    arrays = {"kernel": torch.ones(3, 20), "recurrent_kernel": torch.ones(5, 20), "bias": torch.ones(20)}
    path = saved(tmp_path, {"state_dict": arrays, "step": 3})
    assert rnnstates.load_weights(path, convention="keras").layers[0].name == "layer"
    path = saved(tmp_path, {"cells": {"a": arrays}, "step": 3})
    assert rnnstates.load_weights(path, convention="keras").layers[0].name == "cells.a"
