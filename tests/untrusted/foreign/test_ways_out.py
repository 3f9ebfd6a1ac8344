"""The ways out that messages show: taken word by word, they lead to a file that is read."""

import json
import re
import warnings

import numpy as np
import pytest

import rnnstates
from rnnstates.inputs import open_source
from rnnstates.untrusted.foreign import KINDS, kind_of_path

FEATURES, UNITS = 3, 4


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def take(snippet, path, **known):
    """Run the code of a message, which has FILE or FOLDER where the user's path goes."""
    kind = kind_of_path(path)
    assert snippet in kind.mend
    code = re.sub(r"\b(FILE|FOLDER)\b", repr(str(path)), snippet)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the libraries say of their own past and future
        exec(code, {"np": np, **known})


def lstm():
    import torch

    torch.manual_seed(3)
    return torch.nn.LSTM(FEATURES, UNITS, batch_first=True)


def check_pytorch(module):
    loaded = rnnstates.load_weights("weights.pt").layers[0].forward
    kernel = loaded.kernel.T
    stored = module.state_dict()["weight_ih_l0"].numpy()
    np.testing.assert_array_equal(np.sort(kernel.ravel()), np.sort(stored.ravel()))


def test_an_exported_program(place):
    import torch

    module = lstm()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(module, (torch.zeros(1, 5, FEATURES),)), "p.pt2")
    take(
        "state = torch.export.load(FILE).state_dict; torch.save(dict(state), 'weights.pt')",
        place / "p.pt2",
        torch=torch,
    )
    check_pytorch(module)


def test_a_torchscript_program(place):
    import torch

    module = lstm()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module).save("s.pt")
    take("torch.save(torch.jit.load(FILE).state_dict(), 'weights.pt')", place / "s.pt", torch=torch)
    check_pytorch(module)


def test_leaves_of_equinox(place):
    import equinox as eqx
    import jax

    from ...weights.jax_models import KEY, randomised

    shapes = eqx.filter_eval_shape(eqx.nn.LSTMCell, FEATURES, UNITS, key=KEY)
    cell = randomised(shapes)
    eqx.tree_serialise_leaves("m.eqx", cell)
    model = eqx.tree_deserialise_leaves("m.eqx", jax.tree.map(jax.numpy.asarray, randomised(shapes, seed=8)))
    snippet = re.search(r"np\.savez\('weights\.npz', .*?\)\}\)", KINDS["equinox"].mend)[0]
    take(snippet, place / "m.eqx", eqx=eqx, jax=jax, model=model)
    loaded = rnnstates.load_weights("weights.npz").layers[0].forward
    np.testing.assert_array_equal(loaded.recurrent_kernel, np.array(cell.weight_hh).T)


def test_a_checkpoint_of_orbax(place):
    import flax
    import jax
    import orbax.checkpoint

    from ...weights.jax_models import KEY, randomised

    cell, step = flax.linen.OptimizedLSTMCell(UNITS), np.zeros((1, FEATURES), "f4")
    tree = randomised(jax.eval_shape(lambda: cell.init(KEY, cell.initialize_carry(KEY, step.shape), step)))
    tree = jax.tree.map(jax.numpy.asarray, tree)
    orbax.checkpoint.PyTreeCheckpointer().save(place / "saved", tree)
    snippet = re.search(r"tree = .*\(tree\)\)", KINDS["orbax"].mend)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        take(snippet, place / "saved", orbax=orbax, flax=flax)
    loaded = rnnstates.load_weights("weights.msgpack")
    assert (loaded.features, loaded.layers[0].forward.units) == (FEATURES, UNITS)


def test_shards_of_safetensors(place):
    import safetensors.torch
    import torch

    state = lstm().state_dict()
    shards = []
    for number, names in enumerate((("weight_ih_l0", "bias_ih_l0"), ("weight_hh_l0", "bias_hh_l0"))):
        shards.append(f"model-{number}.safetensors")
        safetensors.torch.save_file({name: state[name] for name in names}, shards[-1])
    names = dict.fromkeys(state, shards[0])
    (place / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
    snippet = re.search(r"safetensors\.torch\.save_file\(.*'weights\.safetensors'\)", KINDS["safetensors index"].mend)[
        0
    ]
    take(snippet, place / "model.safetensors.index.json", safetensors=safetensors, shards=shards, torch=torch)
    assert rnnstates.load_weights("weights.safetensors").features == FEATURES


def test_a_keras_file_that_was_unpacked(place):
    import subprocess
    import sys
    import zipfile

    import keras

    keras.Sequential([keras.Input((None, FEATURES)), keras.layers.LSTM(UNITS)]).save("m.keras")
    with zipfile.ZipFile("m.keras") as archive:
        archive.extractall("unpacked")
    arguments = re.search(r"-m zipfile .*h5", kind_of_path("unpacked").mend)[0].split()
    subprocess.run([sys.executable, *arguments], check=True, cwd="unpacked", timeout=60)
    assert rnnstates.load_weights("unpacked/model.keras").features == FEATURES


def test_a_file_of_pytorch_that_was_unpacked(place):
    import zipfile

    import torch

    torch.save(lstm().state_dict(), "w.pt")
    with zipfile.ZipFile("w.pt") as archive:
        archive.extractall()
    assert "zip -0 -r weights.pt FOLDER" in kind_of_path("w").mend
    with zipfile.ZipFile("weights.pt", "w") as archive:  # as that command does
        for path in sorted((place / "w").rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(place))
    check_pytorch(lstm())


ARRAY = np.random.default_rng(1).normal(size=(2, 5, FEATURES)).astype("f4")


def check_input():
    source = open_source("inputs.npy")
    np.testing.assert_allclose(source.read(slice(0, 2), slice(0, 5)), ARRAY, rtol=1e-6)
    source.close()


def written(kind, path):
    if kind == "torch":
        import torch

        torch.save(torch.from_numpy(ARRAY), path)
    elif kind == "safetensors":
        from safetensors.numpy import save_file

        save_file({"NAME": ARRAY}, path)
    elif kind == "matlab 5":
        from scipy.io import savemat

        savemat(path, {"NAME": ARRAY})
    else:
        path.write_text(json.dumps({"NAME": ARRAY.tolist()} if kind == "json" else ARRAY.tolist()))
    return path


@pytest.mark.parametrize("kind", ["torch", "safetensors", "matlab 5", "json", "json list"])
def test_an_array_becomes_an_input(kind, place):
    import safetensors.numpy
    import scipy.io
    import torch

    snippet = re.search(r"np\.save\('inputs\.npy', .*?\)(?=; |\.$)", KINDS[kind].mend)[0]
    libraries = {"torch": torch, "safetensors": safetensors, "scipy": scipy, "json": json}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the file that json.load leaves open
        take(snippet, written(kind, place / "x"), **libraries)
    check_input()


def test_an_array_of_npz_becomes_an_input(place):
    np.savez("file.npz", inputs=ARRAY)
    snippet = "np.save('inputs.npy', np.load('file.npz')['inputs'])"
    assert snippet in kind_of_path("file.npz").mend
    exec(snippet, {"np": np})
    check_input()


def test_a_table_of_text_becomes_an_input(place):
    np.savetxt("x.csv", ARRAY.reshape(10, FEATURES), delimiter=",")
    snippet = "np.loadtxt(FILE, delimiter=',')"
    assert f"Read it with {snippet}" in kind_of_path("x.csv").mend
    np.save("inputs.npy", eval(snippet, {"np": np, "FILE": "x.csv"}).reshape(ARRAY.shape))
    check_input()


def test_sequences_joined_end_to_end_become_an_input(place):
    x, lengths = np.concatenate([ARRAY[0], ARRAY[1, :2]]), np.array([5, 2])
    with pytest.raises(rnnstates.BadInput, match=r"follow one another need lengths= that sum to their 7 rows"):
        rnnstates.extract(x, "full")
    states = rnnstates.extract(x, lengths, units=2)
    expected = rnnstates.extract(ARRAY[:2], lengths, units=2)
    np.testing.assert_array_equal(states["hidden"], expected["hidden"])


def test_a_dictionary_in_a_npy_file(place):
    module = lstm()
    arrays = {name: array.numpy() for name, array in module.state_dict().items()}
    np.save("w.npy", arrays, allow_pickle=True)
    kind = kind_of_path("w.npy")
    assert "np.load(FILE, allow_pickle=True).item()" in kind.mend
    assert "np.savez('weights.npz', **arrays)" in kind.mend
    np.savez("weights.npz", **np.load("w.npy", allow_pickle=True).item())
    np.testing.assert_array_equal(
        rnnstates.load_weights("weights.npz").layers[0].forward.kernel.shape, (FEATURES, 4 * UNITS)
    )
