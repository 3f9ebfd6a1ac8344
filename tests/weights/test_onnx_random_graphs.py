"""Random operators between two layers: what is taken for one stack is what ONNX Runtime computes.

Axes are of few and equal sizes, so that an axis that is taken for another one has the right size.
"""

import math
import random

import numpy as np
import pytest
from onnx import helper

import rnnstates
from rnnstates import BadWeights

from .test_onnx import arrays_of, model_of, node_of, runtime, save

I, U = 3, 2
make = helper.make_node
COUNT, LEAST = 300, 25


class Graph:
    """Operators in the making: the shape of the last value, for the sizes that it is run with."""

    def __init__(self, chance, steps, batch, ways):
        self.chance, self.nodes, self.arrays = chance, [], {}
        self.name, self.shape = "lower_Y", (steps, ways, batch, U)

    def constant(self, values):
        name = f"k{len(self.arrays)}"
        self.arrays[name] = np.asarray(values)
        return name

    def add(self, op, *inputs, shape, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(make(op, [self.name, *inputs], [name], **attributes))
        self.name, self.shape = name, tuple(shape)

    def transpose(self):
        order = self.chance.sample(range(len(self.shape)), len(self.shape))
        self.add("Transpose", shape=[self.shape[place] for place in order], perm=order)

    def likely(self):
        """What exporters do."""
        if len(self.shape) == 4:
            self.add("Transpose", shape=[self.shape[place] for place in (0, 2, 1, 3)], perm=[0, 2, 1, 3])

    def squeeze(self):
        ones = [place for place, size in enumerate(self.shape) if size == 1]
        if ones and len(self.shape) > 2:
            gone = self.chance.choice(ones)
            shape = [size for place, size in enumerate(self.shape) if place != gone]
            self.add("Squeeze", self.constant([gone]), shape=shape)

    def unsqueeze(self):
        if len(self.shape) < 5:
            place = self.chance.randrange(len(self.shape) + 1)
            shape = (*self.shape[:place], 1, *self.shape[place:])
            self.add("Unsqueeze", self.constant([place]), shape=shape)

    def reshape(self):
        """Into three axes: some of those that are there, or of the same sizes, or what is left."""
        total = math.prod(self.shape)
        first, second = (self.chance.choice([*self.shape, 1, 2, 4]) for _ in range(2))
        if total % (first * second) or not total:
            return
        shape = [first, second, total // (first * second)]
        said = list(shape)
        if self.chance.random() < 0.5:
            said[self.chance.randrange(3)] = -1
        for place in range(min(3, len(self.shape))):
            if said[place] == self.shape[place] and self.chance.random() < 0.5:
                said[place] = 0
        self.add("Reshape", self.constant(np.array(said)), shape=shape)

    def reckoned(self):
        """Into three axes, whose sizes are taken from the value itself."""
        if len(self.shape) != 4:
            return
        value = self.name
        self.nodes.append(make("Shape", [value], [f"{value} s"]))
        order = self.chance.choice([(0, 1, 2, 3), (0, 1, 2, 3), (1, 0, 2, 3), (0, 2, 1, 3)])
        for place, axis in enumerate(order):
            self.nodes.append(make("Gather", [f"{value} s", self.constant([axis])], [f"{value} {place}"]))
        self.nodes.append(make("Mul", [f"{value} 2", f"{value} 3"], [f"{value} m"]))
        self.nodes.append(make("Concat", [f"{value} 0", f"{value} 1", f"{value} m"], [f"{value} t"], axis=0))
        sizes = [self.shape[axis] for axis in order]
        self.add("Reshape", f"{value} t", shape=[sizes[0], sizes[1], sizes[2] * sizes[3]])

    def cut_and_join(self):
        """Take an axis of two apart, perhaps the wrong one, and put the halves behind each other elsewhere."""
        twos = [place for place, size in enumerate(self.shape) if size == 2]
        if not twos or len(self.shape) < 3:
            return
        axis, value, shape = self.chance.choice(twos), self.name, list(self.shape)
        halves = [f"{value} half {number}" for number in range(2)]
        self.nodes.append(make("Split", [value, self.constant([1, 1])], halves, axis=axis))
        shape[axis] = 1
        if self.chance.random() < 0.7:
            gone = self.constant([axis])
            self.nodes += [make("Squeeze", [half, gone], [f"{half} flat"]) for half in halves]
            halves, shape = [f"{half} flat" for half in halves], shape[:axis] + shape[axis + 1 :]
        if self.chance.random() < 0.3:
            halves.reverse()
        place = self.chance.choice([len(shape) - 1, self.chance.randrange(len(shape))])
        shape[place] *= 2
        name = f"{value} joined"
        self.nodes.append(make("Concat", halves, [name], axis=place))
        self.name, self.shape = name, tuple(shape)

    def cut(self):
        axis = self.chance.randrange(len(self.shape))
        stop = self.chance.choice([self.shape[axis], self.shape[axis], 2**31 - 1, 1])
        shape = list(self.shape)
        shape[axis] = min(stop, shape[axis])
        limits = [self.constant([number]) for number in (0, stop, axis)]
        self.add("Slice", *limits, shape=shape)


MOVES = ("transpose", "likely", "likely", "squeeze", "unsqueeze", "reshape", "reckoned", "cut_and_join", "cut")


def model_with(chance):
    """Two layers and some operators between; the sizes of the inputs."""
    steps, batch, ways = chance.choice((1, 2, 2, 4)), chance.choice((1, 2, 2, 3)), chance.choice((1, 2))
    graph = Graph(chance, steps, batch, ways)
    for _ in range(chance.randrange(1, 6)):
        getattr(graph, chance.choice(MOVES))()
    if len(graph.shape) == 4:
        graph.likely()
        graph.reckoned()
    if len(graph.shape) != 3:
        return None
    below, above = arrays_of("LSTM", ways, features=I, units=U), arrays_of("GRU", 1, features=graph.shape[2], units=U)
    way = "bidirectional" if ways == 2 else chance.choice(("forward", "reverse"))
    nodes = [
        node_of("LSTM", below, "lower", prefix="lower_", direction=way),
        *graph.nodes,
        node_of("GRU", above, "upper", graph.name, "upper_"),
    ]
    for node in (nodes[0], nodes[-1]):
        node.input[4:] = []
    arrays = {f"lower_{name}": array for name, array in below.items()} | graph.arrays
    arrays |= {f"upper_{name}": array for name, array in above.items()}
    known = chance.random() < 0.5
    shape = [steps if known else None, batch if known else "batch", I]
    inputs = [helper.make_tensor_value_info("X", 1, shape)]
    return model_of(nodes, arrays, ["upper_Y"], inputs=inputs), (batch, steps)


def joined(path, sizes):
    """Compare where both layers are taken for a stack; tell whether they are."""
    try:
        network = rnnstates.load_weights(path, layer="upper")
    except BadWeights:
        return False
    if len(network.layers) == 1:
        return False
    inputs = np.random.RandomState(0).randn(*sizes, I).astype("f4")
    expected = runtime(path, X=inputs.swapaxes(0, 1))["upper_Y"][:, 0].swapaxes(0, 1)
    found = rnnstates.extract(inputs, "full", weights=path, layer="upper", engine="numpy")["layer1/hidden"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    return True


@pytest.mark.parametrize("seed", [0])
def test_what_is_taken_for_a_stack_is_what_the_runtime_computes(tmp_path, seed):
    chance = random.Random(seed)
    outcomes = []
    for number in range(COUNT):
        made = model_with(chance)
        if made is not None:
            path = save(made[0], tmp_path / f"{number}.onnx")
            outcomes.append(joined(path, made[1]))
    assert LEAST < sum(outcomes) < len(outcomes)
