"""One process that runs the TensorFlow engine, as the command does, for all that tests ask of such a process."""

import functools
import subprocess
import sys
from typing import NamedTuple

SCRIPT = """
import os
import numpy as np
from rnnstates.engines.arithmetic import of_tensorflow
from rnnstates.engines.choice import make_engine
from rnnstates.engines.tensorflow.fused import FusedBlock
from rnnstates.runtime.tensorflow_start import import_tensorflow, quiet_tensorflow
from tests.builders import cell_weights, layer_weights

def run_the_op(rows):
    state = np.zeros((rows, 5), "f4")
    block(np.ones((2, rows, 3), "f4"), {"hidden": state, "cell": state})

def make_many_functions():
    for _ in range(7):
        unroll = make_engine("tensorflow", "float32").unroll(cell_weights("gru", 3, 5))
        for rows in (2, 20):
            unroll(np.ones((rows, 3, 3), "f4"), np.full(rows, 3))

quiet_tensorflow()
tf = import_tensorflow()
print(of_tensorflow(tf)["digest"])
block = FusedBlock(tf, layer_weights(3, 5), ())
for part in (make_many_functions, lambda: run_the_op(4), lambda: run_the_op(3)):
    part()
    os.write(2, b"|")
"""


class Said(NamedTuple):
    """The digest of TensorFlow's arithmetic, and what came to standard error in each part."""

    digest: str
    many_functions: str
    even_rows: str
    odd_rows: str


@functools.cache
def said():
    """Run it."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=True)
    return Said(done.stdout.strip(), *done.stderr.split("|")[:3])
