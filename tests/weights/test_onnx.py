"""ONNX files held against ONNX Runtime: the same file, the same sequences, all states of every step.

ONNX Runtime approximates its functions to some 2e-7, so the equations of the operators, as their descriptions state
them, are written here once more in float64.
"""

import numpy as np
import onnxruntime
import pytest
from onnx import helper, numpy_helper

import rnnstates

from .. import graphs
from ..builders import engines_for
from .census import parity

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
WAYS = {"forward": ("forward",), "reverse": ("backward",), "bidirectional": ("forward", "backward")}
I, H, T, N = 3, 5, 4, 6
LENGTHS = np.array([4, 0, 1, 3, 4, 2])
FUNCTIONS = {
    "Affine": lambda x, a, b: a * x + b,
    "Elu": lambda x, a=1.0: np.where(x >= 0, x, a * np.expm1(np.minimum(x, 0))),
    "HardSigmoid": lambda x, a=0.2, b=0.5: np.clip(a * x + b, 0, 1),
    "LeakyRelu": lambda x, a=0.01: np.where(x >= 0, x, a * x),
    "Relu": lambda x: np.maximum(x, 0),
    "ScaledTanh": lambda x, a, b: a * np.tanh(b * x),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Softplus": lambda x: np.log1p(np.exp(x)),
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Tanh": np.tanh,
    "ThresholdedRelu": lambda x, a: np.where(x > a, x, 0),
}
USUAL = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


def arrays_of(op, directions, *, seed=0, features=I, units=H, peepholes=False, initial=False, batch=N):
    """Random arrays of a node; all rows start alike."""
    random, gates = np.random.RandomState(seed), GATES[op]
    shapes = {"W": (gates * units, features), "R": (gates * units, units), "B": (2 * gates * units,)}
    shapes |= {"P": (3 * units,)} if peepholes else {}
    arrays = {name: (random.randn(directions, *shape) / 2).astype("f4") for name, shape in shapes.items()}
    for state in ("initial_h", "initial_c")[: (2 if op == "LSTM" else 1) * initial]:
        arrays[state] = np.repeat(random.randn(directions, 1, units).astype("f4"), batch, axis=1)
    return arrays


def node_of(op, arrays, name="cell", reads="X", prefix="", **attributes):
    places = ("W", "R", "B", "lengths", "initial_h", "initial_c", "P")
    given = [prefix + key if key in arrays else key if key == "lengths" else "" for key in places]
    given = given if op == "LSTM" else given[:5]
    while not given[-1]:
        given.pop()
    outputs = [prefix + output for output in ("Y", "Y_h", "Y_c")[: 3 if op == "LSTM" else 2]]
    return helper.make_node(op, [reads, *given], outputs, name, hidden_size=arrays["R"].shape[2], **attributes)


def model_of(nodes, arrays, outputs, *, opset=14, inputs=None, rank=3):
    value = helper.make_tensor_value_info
    if inputs is None:
        inputs = [value("X", 1, [None] * rank), value("lengths", 6, [None])]
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "graph", inputs, [value(name, 1, None) for name in outputs], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def lstm(*, before=(), change=None, arrays=None, opset=14, op="LSTM", **attributes):
    """A model of one node; ``before`` makes what takes the place of a constant."""
    arrays = arrays_of(op, 1) if arrays is None else arrays
    made = {name for node in before for name in node.output}
    node = node_of(op, arrays, **attributes)
    if change:
        change(node)
    kept = {name: array for name, array in arrays.items() if name not in made}
    return model_of([*before, node], kept, ["Y"], opset=opset)


@pytest.fixture(scope="module", autouse=True)
def unoptimised():
    """Each graph of TensorFlow's engine runs once."""
    with graphs.as_they_are():
        yield


def constant(name, array):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(array)))


def save(model, path):
    path.write_bytes(model.SerializeToString())
    return path


def runtime(path, **inputs):
    """Run a file; everything it gives by name."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def sequences(seed=1, features=I):
    """[N, T, features], NaN past the length: whoever reads that is found out."""
    inputs = np.random.RandomState(seed).randn(N, T, features).astype("f4")
    inputs[np.arange(T) >= LENGTHS[:, None]] = np.nan
    return inputs


def run_by_runtime(path, op, ways):
    """All states [N, T, H] by direction and name, and the final ones: the cells by runs over parts of the sequences."""
    inputs = np.nan_to_num(sequences())
    whole = runtime(path, X=inputs.swapaxes(0, 1), lengths=LENGTHS.astype("i4"))
    states = {(way, "hidden"): whole["Y"][:, place].swapaxes(0, 1) for place, way in enumerate(ways)}
    final = {(way, "hidden"): whole["Y_h"][place] for place, way in enumerate(ways)}
    for place, way in enumerate(ways) if op == "LSTM" else ():
        final[way, "cell"] = whole["Y_c"][place]
        cells = states[way, "cell"] = np.zeros((N, T, H), "f4")
        for step in range(T):
            # Forward, what is known after a step is what a shorter sequence ends with; backward, one that starts later.
            shifted = np.roll(inputs, -step, axis=1) if way == "backward" else inputs
            rest = np.maximum(LENGTHS - step, 0) if way == "backward" else np.minimum(LENGTHS, step + 1)
            given = runtime(path, X=shifted.swapaxes(0, 1), lengths=rest.astype("i4"))["Y_c"][place]
            cells[:, step] = np.where((step < LENGTHS)[:, None], given, 0)
    return states, final


def stated(op, arrays, place, inputs, attributes):
    """The equations of the operators' descriptions in float64, for one sequence [T, I] as it is read."""
    arrays = {name: array[place].astype("f8") for name, array in arrays.items()}
    f, g, h = ([*attributes["functions"], np.tanh] if op == "GRU" else [*attributes["functions"]] * 3)[:3]
    gates, clip = GATES[op], attributes.get("clip", np.inf)
    held = lambda x: np.clip(x, -clip, clip)  # noqa: E731
    w, r = np.split(arrays["W"], gates), np.split(arrays["R"], gates)
    wb, rb = np.split(arrays["B"][: gates * H], gates), np.split(arrays["B"][gates * H :], gates)
    pi, po, pf = np.split(arrays.get("P", np.zeros(3 * H)), 3)
    hidden = arrays["initial_h"][0] if "initial_h" in arrays else np.zeros(H)
    cell = arrays["initial_c"][0] if "initial_c" in arrays else np.zeros(H)
    found = []
    for x in inputs.astype("f8"):
        z = [x @ w[k].T + hidden @ r[k].T + wb[k] + rb[k] for k in range(gates)]
        if op == "LSTM":
            i = f(held(z[0] + pi * cell))
            forget = 1 - i if attributes.get("input_forget") else f(held(z[2] + pf * cell))
            cell = forget * cell + i * g(held(z[3]))
            hidden = f(held(z[1] + po * cell)) * h(cell)
        elif op == "GRU":
            update, reset = f(held(z[0])), f(held(z[1]))
            after = reset * (hidden @ r[2].T + rb[2]) + wb[2]
            before = (reset * hidden) @ r[2].T + rb[2] + wb[2]
            new = g(held(x @ w[2].T + (after if attributes.get("linear_before_reset") else before)))
            hidden = (1 - update) * new + update * hidden
        else:
            hidden = f(held(z[0]))
        found.append((hidden, cell))
    return np.array(found)


def run_as_stated(op, arrays, ways, attributes):
    names = attributes.get("activations", USUAL[op] * len(ways))
    taken = [list(attributes.get(f"activation_{which}", ())) for which in ("alpha", "beta")]
    count = {"Affine": 2, "HardSigmoid": 2, "ScaledTanh": 2, "Elu": 1, "LeakyRelu": 1, "ThresholdedRelu": 1}
    functions = []
    for name in names:
        numbers = [own.pop(0) for own in taken[: count.get(name, 0)] if own]
        functions.append(lambda x, name=name, numbers=numbers: FUNCTIONS[name](x, *numbers))
    states = {(way, state): np.zeros((N, T, H)) for way in ways for state in ("hidden", "cell")}
    for place, way in enumerate(ways):
        own = {**attributes, "functions": functions[place * len(USUAL[op]) :][: len(USUAL[op])]}
        for row, length in enumerate(LENGTHS):
            order = slice(None, None, -1 if way == "backward" else 1)
            found = stated(op, arrays, place, sequences()[row, :length][order], own)[order] if length else ()
            for step, (hidden, cell) in enumerate(found):
                states[way, "hidden"][row, step], states[way, "cell"][row, step] = hidden, cell
    return states


def run_by_rnnstates(weights, ways, engine, precision):
    given = rnnstates.extract(
        sequences(), LENGTHS, weights=weights, engine=engine, precision=precision, pool=("final",)
    )
    groups = {way: f"layer0/{way}/" if len(ways) > 1 else "" for way in ways}
    parts = [(way, state) for way in ways for state in ("hidden", "cell") if groups[way] + state in given.datasets]
    final = {(way, state): given[f"{groups[way]}{state}_final"] for way, state in parts}
    return {(way, state): given[groups[way] + state] for way, state in parts}, final


def compare(path, op, arrays, direction, **attributes):
    """Hold the engines against ONNX Runtime in float32 and against the equations in float64."""
    ways, outputs = WAYS[direction], ["Y", "Y_h", "Y_c"][: 2 + (op == "LSTM")]
    save(model_of([node_of(op, arrays, direction=direction, **attributes)], arrays, outputs), path)
    network = rnnstates.load_weights(path)
    states, final = run_by_runtime(path, op, ways)
    for engine in engines_for(network, "float32"):
        found, ended = run_by_rnnstates(network, ways, engine, "float32")
        assert found.keys() == states.keys() == final.keys()
        for key, values in states.items():
            np.testing.assert_allclose(found[key], values, rtol=0, atol=1e-6, err_msg=f"{engine} {key}")
            # Of a sequence without steps the runtime gives zeros, rnnstates what it starts from.
            np.testing.assert_allclose(ended[key][LENGTHS > 0], final[key][LENGTHS > 0], rtol=0, atol=1e-6)
    exact = run_as_stated(op, arrays, ways, attributes)
    for engine in engines_for(network, "float64"):
        for key, values in run_by_rnnstates(network, ways, engine, "float64")[0].items():
            np.testing.assert_allclose(values, exact[key], rtol=0, atol=1e-12, err_msg=f"{engine} {key}")


@parity("onnx", "lstm")
@parity("onnx", "gru")
@parity("onnx", "simple_rnn")
@pytest.mark.parametrize("direction", WAYS)
@pytest.mark.parametrize("op", GATES)
def test_every_state_is_that_of_the_runtime(tmp_path, op, direction):
    compare(tmp_path / "m.onnx", op, arrays_of(op, len(WAYS[direction])), direction)


@parity("onnx", "lstm")
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"clip": 0.4},
        {"input_forget": 1},
        {"clip": 0.3, "input_forget": 1},
        {"activations": ["HardSigmoid", "Softsign", "LeakyRelu", "Sigmoid", "ScaledTanh", "Affine"]}
        | {"activation_alpha": [0.3, 0.2, 1.2, 0.7], "activation_beta": [0.4, 0.9, 0.1]},
        {"activations": ["Sigmoid", "Elu", "Tanh", "HardSigmoid", "LeakyRelu", "Softplus"], "clip": 1.5},
    ],
    ids=["peepholes", "clip", "coupled", "clip and coupled", "numbers", "default numbers"],
)
def test_a_variant_of_an_lstm_is_computed_as_the_runtime_does(tmp_path, attributes):
    arrays = arrays_of("LSTM", 2, peepholes=True, initial=True)
    compare(tmp_path / "m.onnx", "LSTM", arrays, "bidirectional", **attributes)


@parity("onnx", "gru")
@pytest.mark.parametrize(
    "attributes",
    [
        {"linear_before_reset": 1},
        {"linear_before_reset": 1, "clip": 0.3},
        {"clip": 0.3},
        {"activations": ["HardSigmoid", "Relu", "Sigmoid", "ThresholdedRelu"], "activation_alpha": [0.1, 0.05]}
        | {"activation_beta": [0.6]},
    ],
    ids=["reset after", "reset after and clip", "clip", "activations"],
)
def test_a_variant_of_a_gru_is_computed_as_the_runtime_does(tmp_path, attributes):
    compare(tmp_path / "m.onnx", "GRU", arrays_of("GRU", 2, initial=True), "bidirectional", **attributes)


@parity("onnx", "simple_rnn")
@pytest.mark.parametrize(
    "attributes",
    [
        {"activations": ["Relu", "Tanh"]},
        {"activations": ["Sigmoid", "Softsign"], "clip": 0.3},
        {"activations": ["LeakyRelu", "Elu"], "activation_alpha": [0.1, 0.7]},
    ],
    ids=["relu", "clip", "numbers"],
)
def test_a_variant_of_an_rnn_is_computed_as_the_runtime_does(tmp_path, attributes):
    compare(tmp_path / "m.onnx", "RNN", arrays_of("RNN", 2, initial=True), "bidirectional", **attributes)


def test_a_peephole_is_read_in_the_order_of_onnx(tmp_path):
    arrays = arrays_of("LSTM", 1, peepholes=True)
    path = save(model_of([node_of("LSTM", arrays)], arrays, ["Y"]), tmp_path / "m.onnx")
    peepholes = rnnstates.load_weights(path).layers[0].forward.peepholes
    np.testing.assert_array_equal(peepholes, arrays["P"][0].reshape(3, H)[[0, 2, 1]])


def test_a_sequence_without_steps_ends_where_it_starts(tmp_path):
    arrays = arrays_of("LSTM", 1, initial=True)
    path = save(model_of([node_of("LSTM", arrays)], arrays, ["Y", "Y_h", "Y_c"]), tmp_path / "m.onnx")
    ended = run_by_rnnstates(path, ("forward",), "numpy", "float32")[1]
    np.testing.assert_array_equal(ended["forward", "hidden"][1], arrays["initial_h"][0, 0])
    assert not run_by_runtime(path, "LSTM", ("forward",))[1]["forward", "hidden"][1].any()
