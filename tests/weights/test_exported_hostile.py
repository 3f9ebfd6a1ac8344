"""Graphs of SavedModels that are damaged or made to attack: read as before, or refused with a sentence."""

import contextlib
import random
import time

import pytest

import rnnstates
from rnnstates import BadWeights, RnnstatesError
from rnnstates.weights.frameworks.keras.exported import program, terms

from ..fuzzing.forms import packed_parts
from ..fuzzing.tensorflow_seeds import looping_model

LOOP = "While"


@pytest.fixture(scope="module")
def parts():
    return packed_parts(looping_model())


@pytest.fixture
def saved(parts, tmp_path):
    for name, data in parts.items():
        path = tmp_path / "m" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "m"


def model_of(path):
    from tensorflow.core.protobuf import saved_model_pb2

    return saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())


@contextlib.contextmanager
def edited(path):
    model = model_of(path)
    yield model.meta_graphs[0]
    (path / "saved_model.pb").write_bytes(model.SerializeToString())


def functions(graph):
    return {function.signature.name: function for function in graph.graph_def.library.function}


def body_of(graph):
    return next(function for name, function in functions(graph).items() if "while_body" in name)


def caller_of(graph):
    return next(
        function
        for function in functions(graph).values()
        if any(node.op in ("While", "StatelessWhile") for node in function.node_def)
    )


def test_the_sound_one_is_read(saved):
    assert rnnstates.load_weights(saved).notes == ()


def calls_itself(graph):
    function = caller_of(graph)
    for node in function.node_def:
        if node.op in ("While", "StatelessWhile"):
            node.op = "PartitionedCall"
            node.attr["f"].func.name = function.signature.name


def body_calls_itself(graph):
    body = body_of(graph)
    node = next(node for node in body.node_def if node.op == "MatMul")
    node.op = "PartitionedCall"
    node.attr["f"].func.name = body.signature.name


def circle(graph):
    for node in body_of(graph).node_def:
        if node.op == "Tanh":
            node.input[0] = f"{node.name}:y:0"


def circle_of_nothing(graph):
    for node in caller_of(graph).node_def:
        if node.op == "Transpose":
            node.op = "Identity"
            del node.input[1:]
            node.input[0] = f"{node.name}:output:0"


def long_chain(graph):
    body = body_of(graph)
    node = next(node for node in body.node_def if node.op == "Tanh")
    before = node.input[0]
    for number in range(20_000):
        body.node_def.add(name=f"link{number}", op="Neg", input=[before])
        before = f"link{number}:y:0"
    node.input[0] = before


def doubling(graph):
    body = body_of(graph)
    node = next(node for node in body.node_def if node.op == "Tanh")
    before = node.input[0]
    for number in range(200):
        body.node_def.add(name=f"link{number}", op="AddV2", input=[before, before])
        before = f"link{number}:z:0"
    node.input[0] = before


def no_function(graph):
    for node in caller_of(graph).node_def:
        if node.op in ("While", "StatelessWhile"):
            node.attr["body"].func.name = "absent"


def no_result(graph):
    body_of(graph).ret.clear()


def no_input(graph):
    next(node for node in body_of(graph).node_def if node.op == "Tanh").input[0] = "absent:y:0"


def one_input_less(graph):
    del next(node for node in body_of(graph).node_def if node.op == "MatMul").input[1]


def no_object(graph):
    next(iter(graph.object_graph_def.concrete_functions.values())).bound_inputs.append(10**6)


def huge_constant(graph):
    for function in functions(graph).values():
        for node in function.node_def:
            if node.op == "Const":
                for axis in node.attr["value"].tensor.tensor_shape.dim:
                    axis.size = 2**62


@pytest.mark.parametrize(
    "attack, said",
    [
        (calls_itself, "call each other more often|how it is run is unknown"),
        (body_calls_itself, "call each other more often|how it is run is unknown"),
        (circle, "how it is run is unknown"),
        (circle_of_nothing, "is passed on endlessly"),
        (long_chain, "how it is run is unknown"),
        (doubling, "how it is run is unknown"),
        (no_function, "how it is run is unknown"),
        (no_result, "does not define its results"),
        (no_input, "reads 'absent:y:0', which is not in its function"),
        (one_input_less, "an operation MatMul has 1 inputs; expected 2"),
        (no_object, "its functions name objects that it does not have"),
    ],
)
def test_a_graph_that_was_made_to_attack_is_refused(attack, said, saved):
    with edited(saved) as graph:
        attack(graph)
    start = time.monotonic()
    with pytest.raises(BadWeights, match=said):
        rnnstates.load_weights(saved)
    assert time.monotonic() - start < 20


def test_a_constant_that_declares_more_than_it_has_says_nothing(saved):
    with edited(saved) as graph:
        huge_constant(graph)
    notes = rnnstates.load_weights(saved).notes
    assert any("'Transpose operation' (operations) before" in note for note in notes)


def test_the_limits_are_those_that_the_reader_has(saved, monkeypatch):
    monkeypatch.setattr(program, "MOST_FRAMES", 1)
    with pytest.raises(BadWeights, match="call each other more often"):
        rnnstates.load_weights(saved)
    monkeypatch.undo()
    monkeypatch.setattr(terms, "MOST_TERMS", 10)
    with pytest.raises(BadWeights, match="how it is run is unknown"):
        rnnstates.load_weights(saved)


def changed(graph, chance):
    """Change one thing of one operation or of a function."""
    function = chance.choice([found for found in graph.graph_def.library.function if found.node_def])
    node, other = (chance.choice(list(function.node_def)) for _ in range(2))
    what = chance.randrange(7)
    if what == 0:
        node.op = other.op
    elif what == 1 and node.input and other.input:
        node.input[chance.randrange(len(node.input))] = chance.choice(list(other.input))
    elif what == 2:
        function.node_def.remove(node)
    elif what == 3 and node.input:
        del node.input[chance.randrange(len(node.input)) :]
    elif what == 4 and node.attr:
        name = chance.choice(sorted(node.attr))
        node.attr[name].CopyFrom(other.attr[chance.choice(sorted(other.attr))] if other.attr else node.attr[name])
    elif what == 5 and function.ret:
        function.ret[chance.choice(sorted(function.ret))] = chance.choice([*node.input, "x", ""])
    elif function.signature.input_arg:
        del function.signature.input_arg[chance.randrange(len(function.signature.input_arg)) :]


@pytest.mark.parametrize("seed", range(4))
def test_a_changed_graph_is_read_or_refused(seed, parts, saved):
    chance = random.Random(seed)
    for _ in range(40):
        (saved / "saved_model.pb").write_bytes(parts["saved_model.pb"])
        with edited(saved) as graph:
            for _ in range(chance.choice((1, 1, 2, 5))):
                changed(graph, chance)
        with contextlib.suppress(RnnstatesError):
            rnnstates.load_weights(saved)
