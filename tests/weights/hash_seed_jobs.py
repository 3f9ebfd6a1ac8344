"""The jobs that ``test_hash_seed.py`` runs under two hash seeds; without a framework, as far as a reader needs none."""

import hashlib
from pathlib import Path

import numpy as np

import rnnstates
from rnnstates.weights.load import describe_weights


def run(paths, folder):
    """Describe and run each file of weights; give what was said, and a hash of what was written, by its name."""
    said = {}
    for name, path in paths.items():
        output = Path(folder) / f"{name}.h5"
        rnnstates.extract(
            np.ones((2, 4, 3), "f4"), "full", weights=path, output=output, engine="numpy", force=True,
            layer="reader_lstm", provenance={"started": None},
        ).close()  # fmt: skip
        said[name] = str(describe_weights(path)), hashlib.sha256(output.read_bytes()).hexdigest()
    return said
