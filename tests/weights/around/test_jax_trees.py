"""Trees of JAX as people save them: paths of ``keystr``, variables of nnx, states of optax, numbered cores, carries."""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx, serialization
from flax.traverse_util import flatten_dict

import rnnstates

from ..jax_models import KEY, randomised

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(2, 6, 3)).astype("f4")


def by_keystr(tree, path):
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    np.savez(path, **{jax.tree_util.keystr(place): np.asarray(leaf) for place, leaf in leaves})
    return path


def check(path, expected, **options):
    states = rnnstates.extract(INPUTS, "full", weights=path, **options)
    names = [name for name in states.datasets if name.endswith("hidden")]
    np.testing.assert_allclose(states[names[-1]], expected, rtol=0, atol=1e-6)


class Learned(nnx.Module):
    def __init__(self, rngs):
        self.front = nnx.Linear(3, 3, rngs=rngs)
        self.rnn = nnx.RNN(nnx.LSTMCell(3, 5, rngs=rngs))
        self.c0, self.h0 = (nnx.Param(jnp.zeros(5)) for _ in range(2))


@jax.jit
def states_of(weights):
    nnx.update(model := Learned(nnx.Rngs(0)), weights)
    carry = tuple(jnp.broadcast_to(each[...], (2, 5)) for each in (model.c0, model.h0))
    return model.rnn(INPUTS, initial_carry=carry)


@pytest.mark.parametrize("form", ["keystr", "msgpack"])
def test_variables_of_nnx_with_the_state_of_their_optimizer(form, tmp_path):
    model = nnx.eval_shape(lambda: Learned(nnx.Rngs(0)))
    weights = randomised(nnx.state(model, nnx.Param))
    nnx.update(model, weights)
    slots = nnx.state(nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param), nnx.optimizer.OptState)
    path = tmp_path / "m"
    if form == "keystr":
        by_keystr({"model": weights, "optimizer": slots}, path := tmp_path / "m.npz")
    else:
        tree = {"model": nnx.to_pure_dict(weights), "optimizer": nnx.to_pure_dict(slots)}
        path.write_bytes(serialization.to_bytes(tree))
    check(path, states_of(weights))
    _, starts, beside = rnnstates.load_weights(path).notes
    assert "'model/rnn/cell' starts from '" in starts
    assert "not run: 'model/front' (bias 3, kernel 3 x 3); if" in beside


def test_the_state_of_optax_beside_a_model_of_equinox_is_no_part_of_it(tmp_path):
    made = eqx.filter_eval_shape(lambda: {"cell": eqx.nn.GRUCell(3, 5, key=KEY), "out": eqx.nn.Linear(5, 2, key=KEY)})
    model = randomised(made) | {"h0": np.full(5, 0.4, "f4")}
    weights = eqx.filter(model, eqx.is_array)
    path = by_keystr((weights, optax.adam(1e-3).init(weights)), tmp_path / "m.npz")

    def step(state, inputs):
        state = model["cell"](inputs, state)
        return state, state

    check(path, jax.jit(jax.vmap(lambda sequence: jax.lax.scan(step, model["h0"], sequence)[1]))(INPUTS))
    assert len(rnnstates.load_weights(path).notes) == 2


class Carried(nn.Module):
    cell: type
    names: tuple[str, ...]
    shape: tuple[int, ...]

    @nn.compact
    def __call__(self, inputs):
        carries = [self.param(name, nn.initializers.normal(), self.shape) for name in self.names]
        carries = [jnp.broadcast_to(each, (2, 5)) for each in carries]
        carry = tuple(carries) if len(carries) > 1 else carries[0]
        return nn.RNN(self.cell(5, parent=None))(inputs, initial_carry=carry)


def save_carried(cell, names, shape, folder):
    module = Carried(cell, names, shape)
    params = randomised(jax.eval_shape(module.init, KEY, INPUTS))
    np.savez(folder / "m.npz", **flatten_dict(params, sep="/"))
    return folder / "m.npz", lambda: jax.jit(module.apply)(params, INPUTS)


@pytest.mark.parametrize(
    "cell, names, shape",
    [
        (nn.OptimizedLSTMCell, ("initial_carry_c", "initial_carry_h"), (1, 5)),
        (nn.GRUCell, ("initial_carry",), (5,)),
        (nn.SimpleCell, ("init_carry",), (1, 5)),
    ],
)
def test_a_carry_to_start_from_is_used(cell, names, shape, tmp_path):
    path, run = save_carried(cell, names, shape, tmp_path)
    check(path, expected := run())
    zero = rnnstates.extract(INPUTS, "full", weights=path, initial_state="zero")["hidden"]
    assert np.abs(zero - expected).max() > 1e-3


@pytest.mark.parametrize("name", ["carry", "hidden", "state", "h"])
def test_what_is_only_called_a_state_is_named_and_not_used(name, tmp_path):
    path, _ = save_carried(nn.GRUCell, (name,), (5,), tmp_path)
    assert f"'params/{name}' (5) may be trained initial states" in rnnstates.load_weights(path).notes[-1]


def test_cores_that_haiku_numbers_are_a_chain_from_the_one_without_a_number(tmp_path):
    def run(ids):
        values = hk.Embed(9, 3)(ids)
        for units in (3, 3, 4):
            core = hk.GRU(units)
            values = hk.dynamic_unroll(core, values, core.initial_state(2))[0]
        return values

    ids = RANDOM.integers(0, 9, (2, 6))
    model = hk.transform(run)
    params = randomised(jax.eval_shape(model.init, KEY, ids.T))
    path = tmp_path / "m.npz"
    np.savez(path, **{f"{module}/{leaf}": array for module, own in params.items() for leaf, array in own.items()})
    with pytest.raises(rnnstates.BadWeights, match=r"in the order of their numbers: layer='gru_\*'\."):
        rnnstates.load_weights(path)
    assert "embed/embeddings' is assumed to feed 'gru'" in rnnstates.load_weights(path, layer="gru").notes[-1]
    expected = np.swapaxes(jax.jit(model.apply)(params, KEY, ids.T), 0, 1)
    for pattern in ("gru_*", "gru*"):
        states = rnnstates.extract(ids, "full", weights=path, layer=pattern)
        highest = [name for name in states.datasets if name.endswith("hidden")][-1]
        np.testing.assert_allclose(states[highest], expected, rtol=0, atol=1e-6)


def test_the_chain_is_offered_in_the_order_of_numbers_however_the_file_lists_them(tmp_path):
    arrays = {}
    for name, features in {"gru": 3, "gru_1": 4, "gru_2": 5, "gru_10": 6}.items():
        shapes = {
            "w_i": (features, 3 * features + 3),
            "w_h": (features + 1, 3 * features + 3),
            "b": (3 * features + 3,),
        }
        arrays |= {f"net/{name}/{leaf}": np.ones(shape, "f4") for leaf, shape in shapes.items()}
    np.savez(tmp_path / "m.npz", **dict(sorted(arrays.items())))
    with pytest.raises(rnnstates.BadWeights, match=r"layer='net/gru_\*'\."):
        rnnstates.load_weights(tmp_path / "m.npz")
    layers = rnnstates.load_weights(tmp_path / "m.npz", layer="net/gru_*").layers
    assert [layer.name for layer in layers] == ["net/gru", "net/gru_1", "net/gru_2", "net/gru_10"]
