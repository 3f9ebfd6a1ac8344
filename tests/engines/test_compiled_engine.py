"""The compiled LSTM: every kind of kernel that this processor runs, against NumPy's plain equations and PyTorch."""

import numpy as np
import pytest
import torch

import rnnstates
from rnnstates.arrays.workspace import Workspace
from rnnstates.engines import compiled_engine
from rnnstates.engines.compiled_engine import CompiledEngine, CompiledUnroll
from rnnstates.engines.numpy_engine import NumpyUnroll
from rnnstates.network.cells.lstm import is_plain

from ..builders import BUILT_ENGINES, cell_weights, layer_weights, one_layer, ragged

pytestmark = pytest.mark.skipif("compiled" not in BUILT_ENGINES, reason="not built: no C compiler")

KINDS = compiled_engine.kinds() if "compiled" in BUILT_ENGINES else {}
EXACT = [kind for kind, (_, pair) in KINDS.items() if pair == 1]
GATES = ("input_gate", "forget_gate", "output_gate", "candidate")
LENGTHS = np.array([20, 19, 19, 12, 7, 5, 3, 3, 2, 1, 1, 0, 0])
# Features and units below, at and above the lanes of each kind, odd and even, 1 among them.
SIZES = [(1, 1), (3, 5), (7, 16), (5, 4), (33, 40), (2, 17)]


def random(rows=13, steps=20, features=3, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, steps, features)).astype(np.float32)


def exact(weights, inputs, lengths=LENGTHS, gates=GATES, initial=None):
    return NumpyUnroll(weights, np.dtype(np.float64), gates)(inputs.astype(np.float64), lengths, initial)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra", ["plain", "peepholes", "cell_clip", "forget_bias"])
@pytest.mark.parametrize("sizes", SIZES)
def test_states_and_gates_are_those_of_the_equations(sizes, extra, kind):
    features, units = sizes
    options = {
        "plain": {},
        "peepholes": {"peepholes": np.random.default_rng(5).normal(size=(3, units))},
        "cell_clip": {"cell_clip": 0.4},
        "forget_bias": {"forget_bias": 1.5},
    }
    weights = layer_weights(features, units, **options[extra])
    inputs = random(features=features)
    initial = {name: random(features=units, seed=seed)[:, 0] for seed, name in enumerate(("hidden", "cell"), 1)}
    inputs[np.arange(20) >= LENGTHS[:, np.newaxis]] = np.nan
    space = Workspace()
    for name in ("hidden", "cell", *GATES):
        space.array(name, (13, 20, units), np.float32)[...] = np.nan
    ours = CompiledUnroll(weights, GATES, kind)(inputs, LENGTHS, initial, space)
    expected = exact(weights, np.nan_to_num(inputs), initial=initial)
    assert set(ours) == {"hidden", "cell", *GATES}
    for name, values in ours.items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(
            values, expected[name], rtol=0, atol=0.05 if KINDS[kind][1] == 2 else 3e-6, err_msg=name
        )
        for row, length in enumerate(LENGTHS):
            assert not values[row, length:].any(), name
    if extra == "cell_clip":
        assert (np.abs(ours["cell"]) == np.float32(0.4)).any()


@pytest.mark.parametrize("kind", EXACT)
def test_states_are_those_of_pytorch(kind):
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(6, 21, batch_first=True)
    inputs = random(features=6)
    with torch.no_grad():
        hidden = lstm(torch.from_numpy(inputs))[0].numpy()
    w = {name: value.detach().numpy() for name, value in lstm.named_parameters()}
    from rnnstates import LayerWeights

    weights = LayerWeights(w["weight_ih_l0"].T, w["weight_hh_l0"].T, w["bias_ih_l0"], recurrent_bias=w["bias_hh_l0"])
    ours = CompiledUnroll(weights, (), kind)(inputs, np.full(13, 20))
    np.testing.assert_allclose(ours["hidden"], hidden, rtol=0, atol=5e-7)


def test_the_kinds_of_one_precision_give_the_same_states_to_rounding():
    weights, inputs = layer_weights(9, 35), random(features=9)
    results = [CompiledUnroll(weights, (), kind)(inputs, LENGTHS)["cell"] for kind in EXACT]
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_states_of_a_sequence_do_not_depend_on_its_batch_mates_in_a_single_bit(kind):
    weights, inputs = layer_weights(3, 37), random()
    unroll = CompiledUnroll(weights, GATES, kind)
    together = {name: values.copy() for name, values in unroll(inputs, LENGTHS).items()}
    for rows in (slice(0, 1), slice(1, 3), slice(2, 9), slice(0, 11)):
        steps = LENGTHS[rows][0]
        apart = unroll(np.ascontiguousarray(inputs[rows, :steps]), LENGTHS[rows])
        for name, values in apart.items():
            np.testing.assert_array_equal(values, together[name][rows, :steps], err_msg=name)


@pytest.mark.parametrize("kind", EXACT)
def test_small_states_keep_their_digits(kind):
    """tanh(x) is x for small x; taken as 1 - 2 / (1 + e^2x) it would keep three digits of 1e-4."""
    weights = layer_weights(3, 20)
    small = rnnstates.LayerWeights(weights.kernel * 1e-5, weights.recurrent_kernel * 1e-5, np.zeros(80))
    inputs = random()
    ours, expected = CompiledUnroll(small, (), kind)(inputs, LENGTHS), exact(small, inputs)
    for name in ("hidden", "cell"):
        np.testing.assert_allclose(ours[name], expected[name], rtol=3e-5, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_saturated_gates_are_0_and_1_and_nothing_overflows(kind):
    weights = rnnstates.LayerWeights(np.full((1, 20), 1e4), np.zeros((5, 20)), np.zeros(20))
    ours = CompiledUnroll(weights, GATES, kind)(np.array([[[1.0], [-1.0]]], np.float32), np.array([2]))
    for name in GATES:
        low = -1.0 if name == "candidate" else 0.0
        np.testing.assert_allclose(ours[name][0], [[1.0] * 5, [low] * 5], rtol=0, atol=1e-25)
    np.testing.assert_allclose(ours["cell"][0], [[1.0] * 5, [0.0] * 5], rtol=0, atol=1e-25)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_in_a_valid_step_reach_their_own_sequence_only(value, kind):
    inputs, weights = random(rows=8), layer_weights(3, 18)
    unroll = CompiledUnroll(weights, (), kind)
    clean = {name: values.copy() for name, values in unroll(inputs, np.full(8, 20)).items()}
    inputs[2, 5, 1] = value
    ours, expected = unroll(inputs, np.full(8, 20)), exact(weights, inputs, np.full(8, 20), gates=())
    for name in ("hidden", "cell"):
        np.testing.assert_allclose(
            ours[name][2], expected[name][2], rtol=0, atol=0.05 if KINDS[kind][1] == 2 else 3e-6, err_msg=name
        )
        assert np.isnan(ours[name][2, 5:]).all() == np.isnan(value)
        ours[name][2, 5:] = clean[name][2, 5:]
        np.testing.assert_array_equal(ours[name], clean[name])


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_forget_gate_forgets_whatever_the_cell_holds(kind):
    weights = rnnstates.LayerWeights(np.full((1, 20), -100.0), np.zeros((5, 20)), np.zeros(20))
    initial = {"cell": np.full((1, 5), 1e30, np.float32)}
    ours = CompiledUnroll(weights, (), kind)(np.ones((1, 2, 1), np.float32), np.array([2]), initial)
    for name in ("hidden", "cell"):
        np.testing.assert_allclose(ours[name], 0, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", EXACT)
def test_long_sums_stay_exact(kind):
    """NumPy adds up parts of a sum side by side, which rounds less than one after the other does."""
    weights, inputs, lengths = layer_weights(1200, 1000), random(rows=3, steps=4, features=1200), np.full(3, 4)
    expected = exact(weights, inputs, lengths)
    single = NumpyUnroll(weights, np.dtype(np.float32), GATES)(inputs, lengths)
    for name, values in CompiledUnroll(weights, GATES, kind)(inputs, lengths).items():
        bound = 5 * np.abs(single[name] - expected[name]).max()
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=bound, err_msg=name)


def test_the_kernel_takes_plain_lstms_only():
    assert is_plain(layer_weights(3, 5, peepholes=np.ones((3, 5)), cell_clip=1.0))
    assert not is_plain(layer_weights(3, 5, activation="relu"))
    assert not is_plain(layer_weights(3, 5, recurrent_activation="hard_sigmoid"))
    assert not is_plain(layer_weights(3, 5, output_activation="linear"))
    assert not is_plain(layer_weights(3, 5, preactivation_clip=2.0))
    assert not is_plain(layer_weights(3, 5, coupled=True))
    projected = rnnstates.LayerWeights(np.ones((3, 20)), np.ones((2, 20)), np.ones(20), projection=np.ones((5, 2)))
    assert not is_plain(projected)
    for cell in ("gru", "simple_rnn", "mlstm"):
        assert not is_plain(cell_weights(cell, 3, 5))


def test_what_the_kernel_does_not_take_is_run_by_numpy_and_the_record_says_so():
    engine = CompiledEngine("float32")
    assert isinstance(engine.unroll(cell_weights("gru", 3, 5)), NumpyUnroll)
    assert isinstance(CompiledEngine("float64").unroll(layer_weights(3, 5)), NumpyUnroll)
    inputs, lengths = ragged()
    single, double = (
        rnnstates.extract(inputs, lengths, weights=one_layer(), engine="compiled", precision=precision)
        for precision in ("float32", "float64")
    )
    assert single.provenance["executors"] == {"": "compiled"}
    assert double.provenance["executors"] == {"": "numpy"}


def test_bfloat16_is_refused_where_the_processor_or_the_cell_has_none(monkeypatch):
    if "bfloat16" in KINDS:
        with pytest.raises(
            rnnstates.EngineUnavailable, match="in bfloat16 the compiled engine runs plain LSTMs only, not this cell"
        ):
            CompiledEngine("bfloat16").unroll(cell_weights("gru", 3, 5))
    monkeypatch.setattr(compiled_engine, "kinds", lambda: {"plain": (4, 1)})
    with pytest.raises(rnnstates.EngineUnavailable, match="needs a processor with avx512_bf16 and a build by GCC 12"):
        CompiledEngine("bfloat16")


def test_an_engine_that_was_not_built_says_how_to_build_it(monkeypatch):
    monkeypatch.setattr(compiled_engine, "is_built", lambda: False)
    with pytest.raises(rnnstates.EngineUnavailable, match="install a C compiler"):
        CompiledEngine("float32")


@pytest.mark.skipif(
    "bfloat16" not in KINDS, reason="this processor does not multiply bfloat16, or there is no C compiler"
)
def test_bfloat16_rounds_the_factors_of_products_and_nothing_else():
    """One step from zero: cell = sigmoid(z_i) * tanh(z_c), z being an exact sum of products of rounded numbers."""
    weights, inputs = layer_weights(4, 6), random(features=4)

    def rounded(values):
        return torch.from_numpy(np.asarray(values, np.float32)).bfloat16().double().numpy()

    z = rounded(inputs[:, 0]) @ rounded(weights.kernel) + weights.bias
    cell = 1 / (1 + np.exp(-z[:, :6])) * np.tanh(z[:, 12:18])
    ours = CompiledUnroll(weights, (), "bfloat16")(inputs[:, :1], np.ones(13, np.int64))
    np.testing.assert_allclose(ours["cell"][:, 0], cell, rtol=0, atol=3e-7)


ARRAYS = {
    "panels": 8 * 32, "bias": 32, "peepholes": 15, "live": 4, "inputs": 24, "hidden_now": 10, "cell_now": 10,
    "hidden": 40, "cell": 40, "input_gate": 40, "forget_gate": 40, "candidate": 40, "output_gate": 40, "scratch": 32,
}  # fmt: skip


def call_kernel(kind="plain", features=3, units=5, rows=2, steps=4, **other):
    """Call it with arrays that are just large enough for these sizes: lanes of 4, so two panels."""
    arrays = {name: np.ones(size, np.int64 if name == "live" else np.float32) for name, size in ARRAYS.items()}
    compiled_engine._kernel().unroll(kind, features, units, rows, steps, 0.0, *(arrays | other).values())


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_that_is_too_small_is_refused_by_the_kernel(name):
    call_kernel()
    with pytest.raises(ValueError, match="sizes of the arrays do not agree"):
        call_kernel(**{name: np.ones(ARRAYS[name] - 1, np.int64 if name == "live" else np.float32)})


@pytest.mark.parametrize("name", ["input_gate", "forget_gate", "candidate", "output_gate"])
def test_a_gate_that_cannot_be_written_is_refused_by_the_kernel(name):
    with pytest.raises(ValueError, match="sizes of the arrays do not agree"):
        call_kernel(**{name: bytes(160)})


def test_sizes_that_do_not_agree_with_the_arrays_are_refused_by_the_kernel():
    refused = [
        {"steps": 5}, {"features": 2000}, {"units": 900}, {"rows": 900}, {"rows": -1}, {"features": 0}, {"units": -5},
        {"live": np.array([3, 1, 1, 1])}, {"live": np.array([-1, 1, 1, 1])}, {"features": 2**62},
    ]  # fmt: skip
    for other in refused:
        with pytest.raises(ValueError, match="sizes of the arrays do not agree"):
            call_kernel(**other)
    with pytest.raises(ValueError, match="does not run the kind 'sse9'"):
        call_kernel(kind="sse9")
