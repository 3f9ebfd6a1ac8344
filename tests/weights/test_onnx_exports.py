"""What PyTorch's two exporters write, and what is made of it: held against ONNX Runtime.

The exporters are combined with cells, numbers of layers and so on, so that each two choices meet in a file; an export
by dynamo takes one to three seconds.
"""

import itertools
from typing import NamedTuple

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import rnnstates

from .census import parity
from .test_onnx import H, I, N, T, runtime, save
from .torch_exports import export_quietly

WORDS = 11


class Case(NamedTuple):
    exporter: str
    cell: str
    layers: int
    ways: int
    shapes: str
    first: str
    reads: str


# Each two choices that an exporter offers meet.
CASES = [
    Case("dynamo", "GRU", 1, 2, "static", "steps", "values"),
    Case("dynamo", "GRU", 2, 1, "static", "batch", "ids"),
    Case("dynamo", "GRU", 3, 2, "batch", "steps", "ids"),
    Case("dynamo", "LSTM", 1, 1, "static", "batch", "values"),
    Case("dynamo", "LSTM", 2, 2, "batch", "steps", "values"),
    Case("dynamo", "LSTM", 3, 1, "batch", "batch", "ids"),
    Case("dynamo", "RNN", 1, 1, "batch", "steps", "ids"),
    Case("dynamo", "RNN", 2, 1, "static", "steps", "values"),
    Case("dynamo", "RNN", 3, 2, "static", "batch", "values"),
    Case("old", "GRU", 1, 1, "batch", "steps", "values"),
    Case("old", "GRU", 2, 1, "all", "steps", "ids"),
    Case("old", "GRU", 3, 2, "static", "batch", "ids"),
    Case("old", "LSTM", 1, 2, "all", "batch", "ids"),
    Case("old", "LSTM", 2, 1, "static", "steps", "values"),
    Case("old", "LSTM", 3, 2, "batch", "steps", "values"),
    Case("old", "RNN", 1, 1, "static", "batch", "values"),
    Case("old", "RNN", 2, 2, "batch", "batch", "ids"),
    Case("old", "RNN", 3, 1, "all", "steps", "values"),
]


def pairs(cases):
    return {pair for case in cases for pair in itertools.combinations(enumerate(case[1:]), 2)}


@pytest.mark.parametrize("exporter", ["dynamo", "old"])
def test_each_two_choices_meet(exporter):
    own = [case for case in CASES if case.exporter == exporter]
    levels = [dict.fromkeys(case[place] for case in own) for place in range(1, len(Case._fields))]
    wanted = {
        ((first, one), (second, other))
        for (first, ones), (second, others) in itertools.combinations(enumerate(levels), 2)
        for one, other in itertools.product(ones, others)
    }
    assert wanted <= pairs(own)


def module(case, **options):
    import torch

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(WORDS, I) if case.reads == "ids" else torch.nn.Identity()
            both, first = case.ways == 2, case.first == "batch"
            self.rnn = getattr(torch.nn, case.cell)(I, H, case.layers, bidirectional=both, batch_first=first, **options)

        def forward(self, x):
            return self.rnn(self.table(x))[0]

    torch.manual_seed(5)
    return Model().eval()


def inputs_of(case):
    """Sequences, or ids, [N, T, …]."""
    random = np.random.RandomState(3)
    return random.randint(0, WORDS, (N, T)) if case.reads == "ids" else random.randn(N, T, I).astype("f4")


def turned(values, case):
    return values if case.first == "batch" else values.swapaxes(0, 1)


def export(case, path, **options):
    import torch

    given, batch = torch.as_tensor(turned(inputs_of(case), case).copy()), 0 if case.first == "batch" else 1
    if case.exporter == "dynamo":
        options |= {"verbose": False} | ({"dynamic_shapes": ({batch: "batch"},)} if case.shapes == "batch" else {})
    else:
        axes = {"all": [0, 1], "batch": [batch]}.get(case.shapes)
        options |= {"dynamo": False, "input_names": ["x"]} | ({"dynamic_axes": {"x": axes}} if axes else {})
    return export_quietly(module(case), (given,), path, **options)


def highest(case):
    group = f"layer{case.layers - 1}/" if case.layers * case.ways > 1 else ""
    return [f"{group}{way}hidden" for way in (("forward/", "backward/") if case.ways == 2 else ("",))]


def compare(case, path):
    """Hold the states of the highest layer against ONNX Runtime; give the network."""
    name = onnx.load(path, load_external_data=False).graph.input[0].name
    expected = turned(next(iter(runtime(path, **{name: turned(inputs_of(case), case)}).values())), case)
    found = rnnstates.extract(inputs_of(case), "full", weights=path, engine="numpy")
    states = np.concatenate([found[part] for part in highest(case)], axis=-1)
    np.testing.assert_allclose(states, expected, rtol=0, atol=1e-6)
    network = rnnstates.load_weights(path)
    assert len(network.layers) == case.layers
    assert (network.embedding is not None) == (case.reads == "ids")
    return network


@parity("onnx", "lstm")
@parity("onnx", "gru")
@parity("onnx", "simple_rnn")
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case)))
def test_what_an_exporter_writes_is_one_stack(tmp_path, case):
    assert compare(case, export(case, tmp_path / "m.onnx")).notes == ()
    # By default, dynamo puts values beside the model.
    assert (tmp_path / "m.onnx.data").exists() == (case.exporter == "dynamo")


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 7, 1), (2, 1, 3), (3, 3, 3)])
def test_axes_of_one_and_of_equal_sizes_are_not_mixed_up(tmp_path, sizes):
    """Sequences, steps and units; the graph holds them as numbers."""
    import torch

    rows, steps, units = sizes
    torch.manual_seed(2)
    rnn = torch.nn.GRU(I, units, 2, bidirectional=True, batch_first=True).eval()
    given, path = torch.randn(rows, steps, I), tmp_path / "m.onnx"
    export_quietly(rnn, (given,), path, dynamo=False, input_names=["x"])
    found = rnnstates.extract(given.numpy(), "full", weights=path, engine="numpy")
    states = np.concatenate([found[f"layer1/{way}/hidden"] for way in ("forward", "backward")], axis=-1)
    np.testing.assert_allclose(states, next(iter(runtime(path, x=given.numpy()).values())), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shapes", ["static", "batch"])
def test_what_dynamo_writes_without_optimising_is_one_stack(tmp_path, shapes):
    """Weights are cut and joined in the graph, by the sizes of the states that it starts from."""
    case = Case("dynamo", "LSTM", 2, 2, shapes, "batch", "ids")
    assert compare(case, export(case, tmp_path / "m.onnx", optimize=False)).notes == ()


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("reads", ["ids", "values"])
def test_packed_sequences_of_any_order_are_read(tmp_path, cell, reads):
    """The graph sorts them by length, and back."""
    import torch

    class Packed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(WORDS, I) if reads == "ids" else torch.nn.Identity()
            self.rnn = getattr(torch.nn, cell)(I, H, 2, batch_first=True)

        def forward(self, x, lengths):
            how = {"batch_first": True, "enforce_sorted": False}
            packed = torch.nn.utils.rnn.pack_padded_sequence(self.table(x), lengths, **how)
            return torch.nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]

    case = Case("old", cell, 2, 1, "all", "batch", reads)
    given, lengths, path = inputs_of(case), np.array([3, T, 1, 3, 2, T]), tmp_path / "m.onnx"
    torch.manual_seed(5)
    export_quietly(
        Packed(), (torch.as_tensor(given), torch.as_tensor(lengths)), path, dynamo=False,
        input_names=["x", "lengths"], dynamic_axes={"x": [0, 1], "lengths": [0]},
    )  # fmt: skip
    expected = next(iter(runtime(path, x=given, lengths=lengths).values()))
    found = rnnstates.extract(given, lengths, weights=path, engine="numpy")
    np.testing.assert_allclose(found["layer1/hidden"], expected, rtol=0, atol=1e-6)
    assert rnnstates.load_weights(path).notes == ()


def halved(model, *, keep_inputs):
    """Convert a model to float16 as onnxconverter-common does: Casts at its inputs and outputs, or those of 16 bits."""
    for tensor in model.graph.initializer:
        if tensor.data_type == 1:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("f2"), tensor.name))
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "value" and attribute.t.data_type == 1:
                attribute.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(attribute.t).astype("f2")))
    for place, value in enumerate([*model.graph.input, *model.graph.output]):
        if value.type.tensor_type.elem_type == 1 and not keep_inputs:
            value.type.tensor_type.elem_type = 10
        elif value.type.tensor_type.elem_type == 1:
            _cast(model.graph, value.name, given=place < len(model.graph.input))
    return model


def _cast(graph, name, *, given):
    for node in graph.node:
        names = node.input if given else node.output
        for place, other in enumerate(names):
            names[place] = f"{name} in 16 bits" if other == name else other
    if given:
        graph.node.insert(0, helper.make_node("Cast", [name], [f"{name} in 16 bits"], to=10))
    else:
        graph.node.append(helper.make_node("Cast", [f"{name} in 16 bits"], [name], to=1))


@pytest.mark.parametrize("keep_inputs", [True, False])
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_a_model_in_half_precision_is_run_with_its_rounded_weights(tmp_path, cell, keep_inputs):
    case = Case("old", cell, 2, 2, "all", "batch", "values")
    model = onnx.load(export(case, tmp_path / "m.onnx"))
    half = save(halved(onnx.load(tmp_path / "m.onnx"), keep_inputs=keep_inputs), tmp_path / "half.onnx")
    # ONNX Runtime does not run these in 16 bits, but with weights that were rounded to them.
    for tensor in model.graph.initializer:
        if tensor.data_type == 1:
            rounded = numpy_helper.to_array(tensor).astype("f2").astype("f4")
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
    compare(case, save(model, tmp_path / "m.onnx"))
    expected = rnnstates.extract(inputs_of(case), "full", weights=tmp_path / "m.onnx", engine="numpy")
    found = rnnstates.extract(inputs_of(case), "full", weights=half, engine="numpy", precision="float32")
    for part in highest(case):
        np.testing.assert_allclose(found[part], expected[part], rtol=0, atol=1e-6)
    [note] = rnnstates.load_weights(half).notes
    assert "rounds to half precision (float16) on the way, which is not done here" in note
