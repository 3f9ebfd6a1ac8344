"""Each attack on a reader is refused with a clear message: nothing runs, and memory stays bounded."""

import contextlib
import resource
from pathlib import Path

import numpy as np
import pytest

import rnnstates

from .attacks import ATTACKS, bait

# More address space than this may no attack take; one declares 64 times as much.
MORE = 2**30


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Each attack, made once, in a folder of its own."""
    return {attack: attack(tmp_path_factory.mktemp("attack")) for attack in ATTACKS}


@contextlib.contextmanager
def at_most(more):
    """Let this process have so many more bytes of address space."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_is_refused_and_nothing_runs(attack, made):
    path = made[attack]
    with pytest.raises(rnnstates.BadWeights) as refused:
        rnnstates.load_weights(path)
    assert ATTACKS[attack] in str(refused.value)
    assert str(path) in str(refused.value)
    with pytest.raises(rnnstates.BadData):
        rnnstates.describe(path)
    assert not bait(path.parent).exists()
    assert sorted(path.parent.iterdir()) == [path]


def test_the_payload_would_make_the_bait(tmp_path):
    import pickle

    from .attacks import a_bare_pickle

    pickle.loads(a_bare_pickle(tmp_path).read_bytes())["weight_hh_l0"].close()
    assert bait(tmp_path).exists()


def test_all_attacks_together_stay_within_a_bound_of_memory(made):
    with at_most(MORE):
        for path in made.values():
            with pytest.raises(rnnstates.BadWeights):
                rnnstates.load_weights(path)
        with pytest.raises(MemoryError):
            bytearray(2 * MORE)


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
