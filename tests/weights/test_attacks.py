"""Each attack on a reader is refused with a clear message: nothing runs, and memory stays bounded."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnnstates

from .attacks import ATTACKS, bait

# Bytes of address space for all attacks one after the other; PyTorch's libraries take most of it.
ADDRESS_SPACE = 6 * 2**30


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_is_refused_and_nothing_runs(attack, tmp_path):
    path = attack(tmp_path)
    with pytest.raises(rnnstates.BadWeights) as refused:
        rnnstates.load_weights(path)
    assert ATTACKS[attack] in str(refused.value)
    assert str(path) in str(refused.value)
    with pytest.raises(rnnstates.BadData):
        rnnstates.describe(path)
    assert not bait(tmp_path).exists()
    assert sorted(tmp_path.iterdir()) == [path]


def test_the_payload_would_make_the_bait(tmp_path):
    import pickle

    from .attacks import a_bare_pickle

    pickle.loads(a_bare_pickle(tmp_path).read_bytes())["weight_hh_l0"].close()
    assert bait(tmp_path).exists()


def test_all_attacks_together_stay_within_a_bound_of_memory(tmp_path):
    script = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
sys.path.insert(0, sys.argv[2])
import rnnstates
from tests.weights.attacks import ATTACKS
for number, attack in enumerate(ATTACKS):
    folder = Path(sys.argv[3]) / str(number)
    folder.mkdir()
    path = attack(folder)
    try:
        rnnstates.load_weights(path)
    except rnnstates.BadWeights:
        continue
    raise SystemExit(f"{attack.__name__} was read")
"""
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", script, str(ADDRESS_SPACE), root, str(tmp_path)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != ADDRESS_SPACE


@pytest.mark.parametrize("container", ["npz", "safetensors", "pt"])
def test_bytes_changed_at_random_give_an_error_or_other_values_and_nothing_else(container, tmp_path):
    import torch

    state = torch.nn.LSTM(3, 5).state_dict()
    path = tmp_path / "w"
    if container == "pt":
        torch.save(state, path)
    elif container == "npz":
        np.savez(tmp_path / "w.npz", **{name: tensor.numpy() for name, tensor in state.items()})
        path = tmp_path / "w.npz"
    else:
        from safetensors.torch import save_file

        save_file(state, path)
    whole, random = path.read_bytes(), np.random.RandomState(1)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(300):
        damaged = bytearray(whole)
        for place in random.randint(0, len(whole) if random.rand() < 0.3 else min(len(whole), 400), size=3):
            damaged[place] = random.randint(256)
        path.write_bytes(damaged[: random.randint(len(damaged))] if random.rand() < 0.2 else damaged)
        try:
            rnnstates.load_weights(path)
            outcomes["read"] += 1
        except rnnstates.BadWeights:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 100
