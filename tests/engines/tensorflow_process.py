"""One process that starts TensorFlow as the command does, for all that tests ask of such a process."""

import functools
from typing import NamedTuple

from ..forking import Ended, Run, run_each

START = """
import sys, threading
from rnnstates.runtime import tensorflow_start as start

start.quiet_tensorflow()
start.begin_import()
tf = start.import_tensorflow()
assert threading.enumerate() == [threading.main_thread()]
# Keras takes as long again; it is there for whoever asks for it.
assert "keras" not in sys.modules
"""
AGAIN = """
import os, sys
from rnnstates.engines.arithmetic import of_tensorflow
from rnnstates.runtime.tensorflow_start import import_tensorflow

tf = import_tensorflow()
"""
DIGEST = AGAIN + "print(of_tensorflow(tf)['digest'])"
# Read when oneDNN multiplies for the first time.
OF_ANOTHER = "import os; os.environ['ONEDNN_MAX_CPU_ISA'] = 'SSE41'" + DIGEST
KERAS = f"""{AGAIN}
assert tf.constant(1) + 1 == 2
assert "keras" not in sys.modules
import keras
assert float(tf.reduce_sum(keras.ops.ones(3))) == float(tf.keras.ops.sum([1, 2]))
"""
ENGINE = f"""{AGAIN}
import numpy as np
from rnnstates.engines.choice import make_engine
from rnnstates.engines.tensorflow.fused import FusedBlock
from tests.builders import cell_weights, layer_weights

def run_the_op(rows):
    state = np.zeros((rows, 5), "f4")
    block(np.ones((2, rows, 3), "f4"), {{"hidden": state, "cell": state}})

def make_many_functions():
    for _ in range(7):
        unroll = make_engine("tensorflow", "float32").unroll(cell_weights("gru", 3, 5))
        for rows in (2, 20):
            unroll(np.ones((rows, 3, 3), "f4"), np.full(rows, 3))

block = FusedBlock(tf, layer_weights(3, 5), ())
for part in (make_many_functions, lambda: run_the_op(4), lambda: run_the_op(3)):
    part()
    os.write(2, b"|")
"""
COMMAND = f"""{AGAIN}
import tempfile
import numpy as np
from rnnstates_cli.main import main

with tempfile.TemporaryDirectory() as place:
    os.chdir(place)
    np.save("in.npy", np.random.default_rng(0).normal(size=(9, 8, 3)).astype("f4"))
    np.save("lengths.npy", np.arange(9))
    sys.argv = "rnnstates extract in.npy out.h5 --lengths lengths.npy --engine tensorflow".split()
    main()
"""


class Said(NamedTuple):
    """What came to standard error when TensorFlow started and when each part of the engine ran, and other answers."""

    at_start: str
    digest: str
    digest_of_another_onednn: str
    keras: Ended
    command: Ended
    many_functions: str
    even_rows: str
    odd_rows: str


@functools.cache
def said():
    """Start it, and ask each question in a fork of it."""
    scripts = map(Run, (DIGEST, OF_ANOTHER, KERAS, COMMAND, ENGINE))
    at_start, (usual, another, keras, command, engine) = run_each(START, scripts)
    assert engine.returncode == 0, engine.stderr
    return Said(at_start, usual.stdout.strip(), another.stdout.strip(), keras, command, *engine.stderr.split("|")[:3])
