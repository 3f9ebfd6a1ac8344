"""Nothing that is stored or printed depends on the order of a set: the same bytes under every hash seed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from .around.models import FORMATS, READER
from .hash_seed_jobs import run

LAYERS = [
    *(("Dense", name, 3, 3) for name in ("alpha", "beta", "gamma", "delta")),
    READER,
    *(("Dense", name, 5, 2) for name in ("scores", "more")),
]
SCRIPT = """
import json, sys
import rnnstates
from tests.weights.hash_seed_jobs import run

rnnstates.quiet_tensorflow()
print(json.dumps(run(json.loads(sys.argv[1]), sys.argv[2])))
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
    """Here, under a seed that is random unless it is set, and in a process under another."""
    paths = files(tmp_path)
    seed = "4242" if os.environ.get("PYTHONHASHSEED") == "0" else "0"
    there = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(paths), str(tmp_path)],
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    here = json.loads(json.dumps(run(paths, tmp_path)))
    assert json.loads(there.stdout) == here
    assert list(here) == list(paths)
