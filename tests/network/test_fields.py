"""Weights that a caller puts together: lists and tensors are arrays, anything else is refused by the field's name."""

import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights, LayerWeights, Network, OptionError, RecurrentLayer

torch = pytest.importorskip("torch")
RANDOM = np.random.RandomState(0)
ARRAYS = {
    "kernel": RANDOM.standard_normal((4, 12)).astype("float32"),
    "recurrent_kernel": RANDOM.standard_normal((3, 12)).astype("float32"),
    "bias": RANDOM.standard_normal(12).astype("float32"),
}
OTHERS = {
    "recurrent_bias": RANDOM.standard_normal(12).astype("float32"),
    "peepholes": RANDOM.standard_normal((3, 3)).astype("float32"),
    "projection": RANDOM.standard_normal((3, 3)).astype("float32"),
}
KINDS = {
    "lists": lambda values: values.tolist(),
    "lists of rows": list,
    "tensors": torch.from_numpy,
    "tensors with gradients": lambda values: torch.from_numpy(values).requires_grad_(),
    "Fortran order": np.asfortranarray,
    "the other byte order": lambda values: values.astype(">f4"),
}


def weights(**options):
    return LayerWeights(**ARRAYS | options)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_an_array_elsewhere_is_one_here(kind):
    of = KINDS[kind]
    initial, table = {"hidden": ARRAYS["bias"][:3]}, RANDOM.standard_normal((7, 4)).astype("float32")
    truth = Network((RecurrentLayer("l", weights(**OTHERS, initial=initial)),), embedding=table)
    given = {name: of(values) for name, values in (ARRAYS | OTHERS).items()}
    made = LayerWeights(**given, initial={"hidden": of(initial["hidden"])})
    made = Network([RecurrentLayer("l", made)], embedding=of(table), notes=["one", "two"])
    assert (made.layers[0].forward.units, made.features, made.notes) == (3, 4, ("one", "two"))
    ids = np.array([[1, 2, 3], [6, 0, 0]])
    one, other = (rnnstates.extract(ids, [3, 1], weights=network, engine="numpy") for network in (made, truth))
    np.testing.assert_array_equal(one["hidden"], other["hidden"])


@pytest.mark.parametrize("field", [*ARRAYS, *OTHERS])
@pytest.mark.parametrize("value", [None, "abc", b"abc", {"a": 1}, object(), [[1.0], [1.0, 2.0]], np.ma.array([1.0])])
def test_what_is_no_array_is_refused_by_its_field(field, value):
    if value is None and field in OTHERS:
        return
    with pytest.raises(BadWeights, match=f"^weights: {field.replace('_', ' ')}"):
        weights(**{field: value})


WRONG = {
    "forget_bias": ["1", None, [1], 1j],
    "cell_clip": ["1", [1]],
    "preactivation_clip": ["1"],
    "activation": [None, 5],
    "recurrent_activation": [None, ["tanh"]],
    "output_activation": [5],
    "cell": [None, ["lstm"], 5],
    "where": [None, 5],
    "reset_after": [None, "yes"],
    "factors": [5, "ab", (1, 2, 3)],
    "initial": [None, [1, 2], "hidden"],
}


@pytest.mark.parametrize("field", WRONG)
def test_a_setting_of_another_type_is_refused_by_its_field(field):
    for value in WRONG[field]:
        with pytest.raises(OptionError, match=f"^{field}=: is "):
            weights(**{field: value})


def test_values_that_are_wrong_are_refused_as_before():
    for given, message in (
        ({"kernel": ARRAYS["kernel"].astype(int)}, "kernel has dtype int64; expected a floating-point type"),
        ({"bias": [0.0] * 3}, r"bias has shape \(3,\); expected \(12,\)"),
        ({"initial": {"hidden": [0.0]}}, r"initial hidden has shape \(1,\)"),
        ({"initial": {"hidden": None}}, "initial hidden: is a NoneType; expected an array"),
        ({"initial": {"h": [0.0]}}, "an initial 'h' is given"),
        ({"initial": {5: [0.0]}}, "an initial '5' is given"),
        ({"cell": "nope"}, "unknown cell 'nope'; known"),
    ):
        with pytest.raises(BadWeights, match=message):
            weights(**given)


LAYER = RecurrentLayer("l", weights())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RecurrentLayer(5, weights()), "name=: is 5; expected a str"),
        (lambda: RecurrentLayer("l", ARRAYS["kernel"]), r"forward=: is an? ndarray; expected LayerWeights or None"),
        (lambda: RecurrentLayer("l", backward={}), "backward=: is a dict; expected LayerWeights or None"),
        (lambda: RecurrentLayer("l", weights(), merge=["sum"]), "merge=: is .*; expected a str"),
        (lambda: RecurrentLayer("l", weights(), residual="no"), "residual=: is a str; expected True or False"),
        (lambda: Network(LAYER), "layers=: is a RecurrentLayer; expected a tuple of RecurrentLayer"),
        (lambda: Network(None), "layers=: is a NoneType"),
        (lambda: Network(("x",)), "layers=: number 0 is a str; expected a RecurrentLayer"),
        (lambda: Network((LAYER, weights())), "layers=: number 1 is a LayerWeights"),
        (lambda: Network((LAYER,), origin=[]), "origin=: is a list; expected a dict"),
        (lambda: Network((LAYER,), notes=5), "notes=: is 5; expected a str of"),
        (lambda: Network((LAYER,), no_embedding=None), "no_embedding=: is a NoneType; expected a str"),
    ],
)
def test_other_fields_of_another_type_are_refused_by_name(make, message):
    with pytest.raises(OptionError, match=f"^{message}"):
        make()


def test_an_embedding_that_is_no_array_is_refused():
    with pytest.raises(BadWeights, match="the embedding: is a str; expected an array"):
        Network((LAYER,), embedding="table")
    with pytest.raises(BadWeights, match="the embedding has dtype int64"):
        Network((LAYER,), embedding=[[1] * 4])
