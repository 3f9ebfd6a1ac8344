"""Nothing that is stored or printed depends on the order of a set: the same bytes under every hash seed."""

import json
import os
import subprocess
import sys

import torch

from .around.models import FORMATS, READER

LAYERS = [
    *(("Dense", name, 3, 3) for name in ("alpha", "beta", "gamma", "delta")),
    READER,
    *(("Dense", name, 5, 2) for name in ("scores", "more")),
]
SCRIPT = """
import hashlib, json, sys
import numpy as np, rnnstates
from rnnstates.weights.load import describe_weights
rnnstates.quiet_tensorflow()
said = {}
for name, path in json.loads(sys.argv[1]).items():
    described = describe_weights(path)
    output = f"{sys.argv[2]}/{name}.h5"
    rnnstates.extract(
        np.ones((2, 4, 3), "f4"), "full", weights=path, output=output, engine="numpy", force=True, layer="reader_lstm",
        provenance={"started": None},
    ).close()
    said[name] = described, hashlib.sha256(open(output, "rb").read()).hexdigest()
print(json.dumps(said))
"""


def files(folder):
    """One file of each format, with much beside its layer."""
    made = {}
    for name in FORMATS:
        inside = folder / name.replace(" ", "_")
        inside.mkdir()
        made[name.replace(" ", "_")] = str(FORMATS[name](LAYERS, inside))
    model = torch.nn.ModuleDict({"reader_lstm": torch.nn.LSTM(3, 5), "other": torch.nn.GRU(3, 3)})
    starts = {f"{side}_{state}0": torch.ones(1, 1, 5) for side in ("a", "b", "c") for state in ("h", "c")}
    torch.save({**model.state_dict(), **starts}, folder / "starts.pt")
    return {**made, "starts": str(folder / "starts.pt")}


def test_jobs_of_every_format_give_the_same_bytes_under_every_hash_seed(tmp_path):
    paths = json.dumps(files(tmp_path))
    said = set()
    for seed in ("0", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, paths, str(tmp_path)],
            capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
        said.add(done.stdout)
    assert len(said) == 1
    assert len(json.loads(said.pop())) == len(json.loads(paths))
