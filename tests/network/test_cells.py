"""What every cell keeps: its conformance, its gates, states to start from and to go on from."""

import numpy as np
import pytest
import torch

import rnnstates
from rnnstates.engines.choice import make_engine
from rnnstates.network.activations import ACTIVATIONS, activation_function, is_activation
from rnnstates.network.cells import CELLS, GATE_STATES
from rnnstates.network.model import CARRIED, GATES, LayerWeights, Network, RecurrentLayer

from ..builders import BUILT_ENGINES, cell_weights, ragged

ENGINES = BUILT_ENGINES
LENGTHS = np.array([7, 4, 0, 1])
# The compiled kernel computes in float32; elsewhere float64 leaves the least to argue about.
PRECISION, TOLERANCE = {"compiled": "float32"}, {"compiled": 2e-6}


def network(cell, **options):
    return Network((RecurrentLayer(cell, forward=cell_weights(cell, 3, 5, **options)),))


def extract(made, inputs, lengths, engine="auto", **options):
    precision = PRECISION.get(engine, "float64")
    return rnnstates.extract(inputs, lengths, weights=made, engine=engine, precision=precision, **options)


def tolerance(engine):
    return TOLERANCE.get(engine, 1e-12)


# The equations once more, in the plainest words, for gates and for what no framework has alone.


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(w, x, hidden, cell, product):
    z = x @ w.kernel + product @ w.recurrent_kernel + w.whole_bias()
    zi, zf, zc, zo = np.split(z, 4)
    i, f, c = sigmoid(zi), sigmoid(zf), np.tanh(zc)
    cell = f * cell + i * c
    o = sigmoid(zo)
    return {
        "hidden": o * np.tanh(cell),
        "cell": cell,
        "input_gate": i,
        "forget_gate": f,
        "output_gate": o,
        "candidate": c,
    }


def gru_step(w, x, hidden):
    (xz, xr, xc), (kz, kr, kc) = np.split(x @ w.kernel + w.bias, 3), np.split(w.recurrent_kernel, 3, axis=1)
    bz, br, bc = np.split(w.recurrent_bias, 3)
    z, r = sigmoid(xz + hidden @ kz + bz), sigmoid(xr + hidden @ kr + br)
    c = np.tanh(xc + r * (hidden @ kc + bc)) if w.reset_after else np.tanh(xc + (r * hidden) @ kc + bc)
    return {"hidden": z * hidden + (1 - z) * c, "update_gate": z, "reset_gate": r, "candidate": c}


def plain(w, sequence, state):
    """Run one sequence: {state or gate: [length, H]}."""
    state = {name: state.get(name, np.zeros(w.units)) for name in CARRIED[w.cell]}
    collected = []
    for x in sequence:
        hidden = state["hidden"]
        if w.cell == "lstm":
            done = lstm_step(w, x, hidden, state["cell"], hidden)
        elif w.cell == "mlstm":
            done = lstm_step(w, x, hidden, state["cell"], (x @ w.factors[0]) * (hidden @ w.factors[1]))
        elif w.cell == "gru":
            done = gru_step(w, x, hidden)
        else:
            done = {"hidden": np.tanh(x @ w.kernel + hidden @ w.recurrent_kernel + w.whole_bias())}
        state = {name: done[name] for name in CARRIED[w.cell]}
        collected.append(done)
    return {name: np.array([done[name] for done in collected]) for name in collected[0]}


CASES = {"lstm": {}, "mlstm": {}, "simple_rnn": {}, "gru": {"reset_after": True}, "gru before": {"reset_after": False}}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_states_and_gates_follow_the_equations(case, engine):
    made = network(case.split()[0], **CASES[case])
    weights = made.layers[0].forward
    inputs, _ = ragged(4, 7)
    states = (*CARRIED[weights.cell], *CELLS[weights.cell].gates._fields)
    inputs = np.nan_to_num(inputs)
    ours = extract(made, inputs, LENGTHS, states=states, engine=engine)
    for row, length in enumerate(LENGTHS):
        for name, values in (plain(weights, inputs[row, :length], {}) if length else {}).items():
            np.testing.assert_allclose(ours[name][row, :length], values, rtol=0, atol=tolerance(engine), err_msg=name)
        for name in states:
            assert not ours[name][row, length:].any(), name


@pytest.mark.parametrize("cell", CELLS)
def test_the_tables_of_cells_agree(cell):
    assert CELLS[cell].state._fields == CARRIED[cell]
    gates = {gate for gate in GATES[cell] if cell != "simple_rnn"}
    assert set(CELLS[cell].gates._fields) == gates
    assert gates <= set(GATE_STATES)
    made = network(cell)
    for engine in ENGINES:
        unroll = make_engine(engine, "float32").unroll(made.layers[0].forward, CELLS[cell].gates._fields)
        states = unroll(np.ones((2, 3, 3), np.float32), np.array([3, 1]))
        assert set(states) == {*CARRIED[cell], *gates}
        assert all(values.shape == (2, 3, 5) and values.dtype == np.float32 for values in states.values())


def test_every_cell_is_in_every_table():
    assert set(CELLS) == set(CARRIED) == set(GATES)


@pytest.mark.parametrize("engine", ENGINES)
def test_gates_of_pytorch_can_be_had_from_its_own_equation(engine, tmp_path):
    """The forget gate is what is left of the old cell state: (c' - i g) / c, from PyTorch's own states."""
    torch.manual_seed(1)
    rnn = torch.nn.LSTMCell(3, 5).double()
    torch.save(rnn.state_dict(), tmp_path / "c.pt")
    inputs = np.random.default_rng(0).normal(size=(1, 6, 3))
    ours = rnnstates.extract(
        inputs, "full", weights=tmp_path / "c.pt", engine=engine, precision=PRECISION.get(engine, "float64"),
        states="hidden,cell,input_gate,forget_gate,output_gate,candidate",
    )  # fmt: skip
    hidden, cell = torch.zeros(1, 5).double(), torch.ones(1, 5).double()
    for step in range(6):
        before = cell.numpy()[0] if step else np.zeros(5)
        with torch.no_grad():
            hidden, cell = rnn(torch.from_numpy(inputs[:, step]), (hidden, cell if step else 0 * cell))
        made = ours["forget_gate"][0, step] * before + ours["input_gate"][0, step] * ours["candidate"][0, step]
        np.testing.assert_allclose(made, cell.numpy()[0], atol=tolerance(engine))
        emitted = ours["output_gate"][0, step] * np.tanh(made)
        np.testing.assert_allclose(emitted, hidden.numpy()[0], atol=tolerance(engine))


def test_gates_are_zero_past_the_length_whatever_the_padding_holds():
    inputs, lengths = ragged()
    states = extract(network("lstm"), inputs, lengths, states="forget_gate", pool="mean")
    for row, length in enumerate(lengths):
        assert (states["forget_gate"][row, :length] > 0).all()
        assert not states["forget_gate"][row, length:].any()
    assert set(states.datasets) == {"forget_gate", "forget_gate_mean", "lengths"}


def test_a_gate_that_no_layer_has_is_refused():
    inputs, lengths = ragged()
    with pytest.raises(
        rnnstates.OptionError, match=r"states='forget_gate': no layer has it; layer 'gru' is a gru\. Available"
    ):
        extract(network("gru"), inputs, lengths, states="forget_gate")
    with pytest.raises(rnnstates.OptionError, match="states='cell': no layer has it"):
        extract(network("gru"), inputs, lengths, states="cell")


def test_the_concatenated_state_of_a_gru_is_its_hidden_state():
    inputs, lengths = ragged()
    states = extract(network("gru"), inputs, lengths, states="state,hidden")
    np.testing.assert_array_equal(states["state"], states["hidden"])


# Weights that contradict themselves.

REFUSED = {
    "peepholes of a gru": ("gru", {"peepholes": np.ones((3, 5))}, "peepholes is for an LSTM, but this is a gru"),
    "long peepholes": ("lstm", {"peepholes": np.ones((3, 4))}, r"peepholes has shape \(3, 4\); expected \(3, 5\)"),
    "a clip of zero": ("lstm", {"cell_clip": 0.0}, "cell_clip is 0.0; expected a positive number"),
    "a reset lstm": ("lstm", {"reset_after": True}, "a reset gate is for a GRU, but this is an lstm"),
    "a start of nothing": ("gru", {"initial": {"cell": np.ones(5)}}, "an initial 'cell' is given; it carries hidden"),
    "a start of another size": ("gru", {"initial": {"hidden": np.ones(4)}}, r"initial hidden has shape \(4,\)"),
    "a forget bias of a gru": ("gru", {"forget_bias": 1.0}, "a forget bias is for an LSTM"),
    "inf peepholes": ("lstm", {"peepholes": np.full((3, 5), np.inf)}, "peepholes has 15 values that are NaN"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_weights_that_no_cell_has_are_refused(case):
    cell, options, message = REFUSED[case]
    with pytest.raises(rnnstates.BadWeights, match=message):
        cell_weights(cell, 3, 5, **options)


def test_a_multiplicative_lstm_without_factors_is_refused():
    with pytest.raises(rnnstates.BadWeights, match="factors belong to a multiplicative LSTM"):
        LayerWeights(np.ones((3, 20)), np.ones((5, 20)), np.ones(20), cell="mlstm")
    with pytest.raises(rnnstates.BadWeights, match="unknown cell 'nas'; known: lstm, gru, simple_rnn, mlstm"):
        LayerWeights(np.ones((3, 20)), np.ones((5, 20)), np.ones(20), cell="nas")


# Activations, three to a layer: that of its gates, of its candidate and of its output.
NAMES = [*ACTIVATIONS, *list(ACTIVATIONS)[: -len(ACTIVATIONS) % 3]]


@pytest.mark.parametrize("gates, candidate, output", list(zip(*[iter(NAMES)] * 3, strict=True)))
def test_both_engines_compute_an_activation_alike(gates, candidate, output):
    made = network("lstm", recurrent_activation=gates, activation=candidate, output_activation=output)
    inputs, lengths = ragged(3, 3)
    states = ("hidden", "cell", "input_gate", "forget_gate", "output_gate", "candidate")
    numpy, tensorflow = (
        extract(made, inputs * 3, lengths, engine=engine, states=states) for engine in ("numpy", "tensorflow")
    )
    for name in states:
        assert numpy[name].any(), name
        np.testing.assert_allclose(numpy[name], tensorflow[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_names_with_numbers_are_read_and_nonsense_is_not():
    assert is_activation("hard_sigmoid(0.2, 0.5)")
    assert not is_activation("hard_sigmoid(x)")
    assert not is_activation("sigmoid(1)")
    assert not is_activation("leaky_relu(1, 2)")
    assert not is_activation("affine(nan)")
    assert not is_activation("__import__('os')")
    with pytest.raises(KeyError):
        activation_function("nonsense")


def test_one_layer_may_stand_twice_in_a_network():
    layer = RecurrentLayer("twice", cell_weights("lstm", 3, 3))
    inputs, lengths = ragged()
    states = extract(Network((layer, layer)), inputs, lengths)
    again = extract(Network((layer,)), states["layer0/hidden"], lengths)
    np.testing.assert_allclose(states["layer1/hidden"], again["hidden"], atol=1e-12)
