"""Every parameter of ``extract`` and its kin says what it expects when it is given something else."""

import inspect
import io
import itertools

import numpy as np
import pytest

import rnnstates
from rnnstates.errors.arguments import ARGUMENTS

torch = pytest.importorskip("torch")
INPUTS = np.random.RandomState(0).standard_normal((2, 3, 4)).astype("float32")
WRONG = {
    "an endless generator": lambda: itertools.count(),
    "a slice": lambda: slice(1),
    "a set": lambda: {1},
    "a complex number": lambda: 1j,
    "bytes": lambda: b"x",
    "an object": object,
    "a function": lambda: len,
    "unequal lists": lambda: [[1], [1, 2]],
    "an array of objects": lambda: np.array([None, 1], dtype=object),
    "a masked array": lambda: np.ma.array([1, 2], mask=[0, 1]),
    "a tensor with gradients": lambda: torch.ones(7, 7, requires_grad=True),
    "a bfloat16 tensor": lambda: torch.ones(7, 7).bfloat16(),
    "a sparse tensor": lambda: torch.eye(2).to_sparse(),
    "a module": lambda: torch.nn.Linear(2, 2),
    "a dict": lambda: {"a": 1},
    "a text stream": io.StringIO,
    "a large number": lambda: 10**30,
    "a number beyond float64": lambda: 10**400,
    "NaN": lambda: float("nan"),
}
# What the parameter may be after all.
FITTING = {
    *(("progress", "a function"), ("progress", "a module"), ("provenance", "a dict")),
    *(("rows", "a slice"), ("steps", "a slice")),
    *(("forget_bias", "a large number"), ("max_runtime", "a large number")),
}
OF_WEIGHTS = ("weights", "layer", "convention", "config", "activation", "recurrent_activation", "cell_clip",
              "projection_clip", "embedding")  # fmt: skip


@pytest.mark.parametrize("parameter", inspect.signature(rnnstates.extract).parameters)
def test_a_wrong_object_is_refused_and_the_parameter_named(parameter):
    for name, make in WRONG.items():
        if (parameter, name) in FITTING:
            continue
        given = {"inputs": INPUTS, "lengths": "full", "units": None if parameter in OF_WEIGHTS else 2} | {
            parameter: make()
        }
        with pytest.raises(rnnstates.RnnstatesError) as reason:
            rnnstates.preview(**given)
        assert parameter in str(reason.value), (name, str(reason.value))
        assert "--" not in str(reason.value)


@pytest.mark.parametrize("parameter", ["output", "config", "save_weights"])
def test_an_empty_path_is_none(parameter):
    with pytest.raises(rnnstates.OptionError, match=f"^{parameter}=: is ''; expected a path or None"):
        rnnstates.preview(INPUTS, "full", units=2, **{parameter: ""})


def test_unknown_names_are_shown():
    with pytest.raises(rnnstates.OptionError, match=r"^states=: is \['hidden', 0\]; expected a str of names"):
        rnnstates.preview(INPUTS, "full", units=2, states=["hidden", 0])


def test_an_unknown_argument_is_a_type_error_of_the_function():
    with pytest.raises(TypeError, match=r"^preview\(\) got an unexpected keyword argument 'unit'"):
        rnnstates.preview(INPUTS, "full", unit=2)


def test_every_parameter_is_in_the_table_or_an_array():
    arrays = {"inputs", "lengths", "weights", "initial_state", "ids", "rows", "steps", "carry"}
    assert set(inspect.signature(rnnstates.extract).parameters) <= arrays | set(ARGUMENTS)


def test_a_tensor_with_gradients_is_read():
    made = rnnstates.extract(torch.from_numpy(INPUTS).requires_grad_(), torch.tensor([3, 1]), units=2, engine="numpy")
    truth = rnnstates.extract(INPUTS, [3, 1], units=2, engine="numpy")
    np.testing.assert_array_equal(made["hidden"], truth["hidden"])


@pytest.mark.parametrize("parameter", ["layer", "convention", "forget_bias", "cell_clip", "config"])
def test_load_weights_refuses_likewise(parameter):
    with pytest.raises(rnnstates.OptionError, match=f"^{parameter}=: is a"):
        rnnstates.load_weights({}, **{parameter: object()})


OTHERS = {
    "describe": {"path": "absent"},
    "open": {"path": "absent"},
    "verify": {"path": "absent"},
    "status": {"output": "absent"},
    "clean": {"output": "absent"},
    "save_weights": {"network": rnnstates.random_network(2, units=1), "path": "absent/w.safetensors"},
    "random_network": {"features": 2, "units": 1},
}
# Looked at where a file is found to need them.
LATER = {"inputs", "weights", "initial_state"}
NUMBERS = {"forget_bias", "cell_clip", "projection_clip"}


@pytest.mark.parametrize(
    ("function", "parameter"),
    [(name, one) for name in OTHERS for one in inspect.signature(getattr(rnnstates, name)).parameters
     if one not in LATER],
)  # fmt: skip
def test_the_other_functions_refuse_likewise(function, parameter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, make in WRONG.items():
        # A number that is out of range is refused with the weights, which are absent here.
        if function == "verify" and parameter in NUMBERS and name in ("NaN", "a large number"):
            continue
        if (parameter, name) in FITTING:
            continue
        with pytest.raises(rnnstates.OptionError, match=f"^{parameter}=") as reason:
            getattr(rnnstates, function)(**OTHERS[function] | {parameter: make()})
        assert "--" not in str(reason.value), name


@pytest.mark.parametrize(("function", "parameter"), [
    *((name, "path") for name in ("describe", "open", "verify", "save_weights")),
    *(("status", "output"), ("clean", "output"), ("random_network", "units"), ("random_network", "seed")),
])  # fmt: skip
def test_none_is_refused_where_something_is_needed(function, parameter):
    with pytest.raises(rnnstates.OptionError, match=f"^{parameter}=: is a NoneType; expected [^;]*[^e]\\.$"):
        getattr(rnnstates, function)(**OTHERS[function] | {parameter: None})
