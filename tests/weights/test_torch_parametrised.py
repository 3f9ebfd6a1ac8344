"""Arrays that stand for PyTorch's weights: what is read is what PyTorch's own module uses in eval mode."""

import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.utils import parametrizations, prune

import rnnstates

from .running import assert_same_states
from .test_torch import oracle


class WeightDrop(torch.nn.Module):
    """DropConnect as AWD-LSTM has it: the raw weights lie in the wrapper, a dropped copy in the module."""

    def __init__(self, module, names, *, copies=True):
        super().__init__()
        self.module, self.names = module, names
        for name in names:
            raw = getattr(module, name)
            self.register_parameter(f"{name}_raw", torch.nn.Parameter(raw.data.clone()))
            if copies:
                with torch.no_grad():
                    raw.copy_(torch.nn.functional.dropout(raw, 0.5))
            else:
                del module._parameters[name]


def weights_of(module):
    return [name for name, _ in module.named_parameters() if name.startswith("weight")]


def old_weight_norm(module, dim=0):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for name in weights_of(module):
            torch.nn.utils.weight_norm(module, name, dim)


def new_weight_norm(module, dim=0):
    for name in [*weights_of(module), "bias_ih_l0", "bias_ih"]:
        if hasattr(module, name):
            parametrizations.weight_norm(module, name, dim if "weight" in name else None)


def old_spectral_norm(module, dim=0):
    for name in weights_of(module):
        torch.nn.utils.spectral_norm(module, name, dim=dim)


def new_spectral_norm(module, dim=0):
    for name in weights_of(module):
        parametrizations.spectral_norm(module, name, dim=dim)


def pruned(module):
    for number, name in enumerate(weights_of(module)):
        (prune.l1_unstructured if number % 2 else prune.random_unstructured)(module, name, 0.4)


WRAPS = {
    "weight norm, older": old_weight_norm,
    "weight norm, older, columns": lambda module: old_weight_norm(module, 1),
    "weight norm, older, whole": lambda module: old_weight_norm(module, None),
    "weight norm": new_weight_norm,
    "weight norm, columns": lambda module: new_weight_norm(module, 1),
    "weight norm, whole": lambda module: new_weight_norm(module, None),
    "spectral norm, older": old_spectral_norm,
    "spectral norm, older, columns": lambda module: old_spectral_norm(module, 1),
    "spectral norm": new_spectral_norm,
    "spectral norm, columns": lambda module: new_spectral_norm(module, 1),
    "pruning": pruned,
}
MODULES = {
    "lstm": lambda: torch.nn.LSTM(3, 5, 2, proj_size=2),
    "gru": lambda: torch.nn.GRU(3, 4, bidirectional=True),
    "rnn": lambda: torch.nn.RNN(3, 4, 2, bias=False),
}


def randomised(module):
    """Change what is trained, as training would; masks and singular vectors are none of that."""
    with torch.no_grad():
        for _ in range(4):  # so that singular vectors have some sense
            module.train()(torch.randn((2, 1, 3) if hasattr(module, "num_layers") else (2, 3)))
        for name, parameter in module.named_parameters():
            sizes = name.endswith(("_g", "original0"))
            parameter.mul_(torch.rand_like(parameter) + 0.5 if sizes else torch.rand_like(parameter) * 0.1 + 1)
    return module.eval()


def save_as(state, path, container):
    state = {name: value.detach().contiguous().clone() for name, value in state.items()}
    if container == "safetensors":
        save_file(state, path)
    elif container == "npz":
        path = path.with_suffix(".npz")
        np.savez(path, **{name: value.numpy() for name, value in state.items()})
    else:
        torch.save(state, path)
    return path


def evaluated(module):
    """Run a module once, so that its wrappers set its weights; the same module with plain ones."""
    torch.manual_seed(1)
    width = getattr(module, "input_size", 3)
    with torch.no_grad():
        module(torch.randn(2, 1, width))
    options = {"bias": module.bias} | ({"proj_size": module.proj_size} if module.proj_size else {})
    plain = type(module)(width, module.hidden_size, module.num_layers, bidirectional=module.bidirectional, **options)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, parameter in plain.named_parameters():
            parameter.copy_(getattr(module, name))
        inputs = torch.randn(4, 1, width)
        torch.testing.assert_close(plain(inputs)[0], module(inputs)[0], rtol=0, atol=0)
    return plain


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("wrap", WRAPS)
def test_weights_are_computed_as_pytorch_does_in_eval_mode(wrap, kind, tmp_path):
    torch.manual_seed(len(wrap))
    module = MODULES[kind]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a projection is computed without oneDNN
        WRAPS[wrap](module)
        randomised(module)
        plain = evaluated(module)
        containers = ["pt", "safetensors", "npz"]
        state = {f"model.rnn.{name}": value for name, value in module.state_dict().items()}
        path = save_as(state, tmp_path / "w", containers[sorted(WRAPS).index(wrap) % 3])
        assert_same_states(path, oracle(plain), atol=2e-6)
    (note,) = (note for note in rnnstates.load_weights(path).notes if "as PyTorch does in evaluation" in note)
    assert "'model.rnn'" in note


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
@pytest.mark.parametrize("wrap", ["weight norm", "weight norm, older", "spectral norm", "pruning"])
def test_a_cell_s_weights_are_computed_too(wrap, kind, tmp_path):
    torch.manual_seed(2)
    cell = getattr(torch.nn, kind)(3, 5)
    WRAPS[wrap](cell)
    randomised(cell)
    with torch.no_grad():
        cell(torch.randn(1, 3))
    torch.save(cell.state_dict(), tmp_path / "w.pt")
    read = rnnstates.load_weights(tmp_path / "w.pt").layers[0].forward

    def stepped(sequence):
        state, found = None, []
        with torch.no_grad():
            for step in torch.from_numpy(sequence.copy()):
                state = cell(step[np.newaxis], state)
                found.append(state[0] if isinstance(state, tuple) else state)
        return {"hidden": np.array([hidden[0].numpy() for hidden in found])}

    assert_same_states(tmp_path / "w.pt", stepped)
    assert read.kernel.dtype == np.float32


@pytest.mark.parametrize("dim", [0, 1])
def test_a_square_matrix_is_divided_by_the_norm_along_the_axis_that_its_vectors_fit(dim, tmp_path):
    torch.manual_seed(4)
    module = torch.nn.RNN(4, 4)
    new_spectral_norm(module, dim)
    for _ in range(3):
        module.train()(torch.randn(2, 1, 4))
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "original" in name:
                parameter.add_(torch.randn_like(parameter) * 0.02)
    torch.save(module.eval().state_dict(), tmp_path / "w.pt")
    read = rnnstates.load_weights(tmp_path / "w.pt").layers[0].forward
    np.testing.assert_allclose(read.recurrent_kernel.T, module.weight_hh_l0.detach().numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("wrap", [old_spectral_norm, new_spectral_norm])
def test_a_square_matrix_far_from_its_singular_vectors_is_taken_by_its_rows(wrap, tmp_path):
    for seed in range(6):
        torch.manual_seed(seed)
        module = torch.nn.RNN(16, 16)
        wrap(module)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(torch.randn_like(parameter))
        module.eval()(torch.randn(2, 1, 16))
        torch.save(module.state_dict(), tmp_path / "w.pt")
        read = rnnstates.load_weights(tmp_path / "w.pt").layers[0].forward.recurrent_kernel
        expected = module.weight_hh_l0.detach().numpy()
        np.testing.assert_allclose(read.T, expected, rtol=1e-3, atol=1e-4)


# From where the wrapper stands to where the module does.
PLACES = {
    "beside the root": ("", "module."),
    "at its parent": ("rnn.", "rnn.module."),
    "far above": ("encoder.", "encoder.inner.rnn."),
    "at its own place": ("rnns.0.module.", "rnns.0.module."),
    "below DataParallel": ("module.0.rnns.0.", "module.0.rnns.0.module."),
    "at a root without a child's name": ("", "lstm."),
}


@pytest.mark.parametrize("container", ["pt", "safetensors", "npz"])
@pytest.mark.parametrize("copies", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_the_raw_weight_of_weight_drop_counts_wherever_its_wrapper_is(place, copies, container, tmp_path):
    torch.manual_seed(6)
    module = torch.nn.LSTM(3, 4, 2)
    whole = {name: value.clone() for name, value in module.state_dict().items()}
    wrapped = WeightDrop(module, ["weight_hh_l0", "weight_hh_l1"], copies=copies)
    above, below = PLACES[place]
    state = {
        below + name.removeprefix("module.") if name.startswith("module.") else above + name: value
        for name, value in wrapped.state_dict().items()
    }
    path = save_as(state, tmp_path / "w", container)
    plain = torch.nn.LSTM(3, 4, 2)
    plain.load_state_dict(whole)
    assert_same_states(path, oracle(plain))
    notes = rnnstates.load_weights(path).notes
    (note,) = (note for note in notes if "WeightDrop" in note)
    assert f"'{above}weight_hh_l0_raw', '{above}weight_hh_l1_raw' (WeightDrop)" in note
    assert (f"the stored '{below}weight_hh_l0'" in note) == copies


def test_the_raw_weight_of_a_cell_counts_too(tmp_path):
    torch.manual_seed(9)
    cell = torch.nn.GRUCell(3, 4)
    raw = cell.weight_hh.detach().numpy().copy()
    state = {f"cell.{name}": value for name, value in WeightDrop(cell, ["weight_hh"]).state_dict().items()}
    torch.save(state, tmp_path / "w")
    read = rnnstates.load_weights(tmp_path / "w").layers[0].forward.recurrent_kernel
    reset, update, candidate = np.split(raw, 3)
    np.testing.assert_array_equal(read, np.vstack([update, reset, candidate]).T)


def test_two_modules_with_a_wrapper_each_are_kept_apart(tmp_path):
    torch.manual_seed(7)
    state, expected = {}, {}
    for number, module in enumerate((torch.nn.LSTM(3, 4), torch.nn.GRU(4, 2))):
        expected[number] = module.weight_hh_l0.detach().numpy().copy()
        wrapped = WeightDrop(module, ["weight_hh_l0"])
        state |= {f"rnns.{number}.{name}": value for name, value in wrapped.state_dict().items()}
    torch.save(state, tmp_path / "w.pt")
    for number in expected:
        read = rnnstates.load_weights(tmp_path / "w.pt", layer=f"rnns.{number}.module").layers[0].forward
        np.testing.assert_array_equal(np.sort(read.recurrent_kernel.ravel()), np.sort(expected[number].ravel()))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_the_weight_has_the_dtype_that_is_stored(dtype, tmp_path):
    module = torch.nn.LSTM(3, 5)
    new_weight_norm(module)
    save_file({name: value.to(dtype).contiguous() for name, value in module.state_dict().items()}, tmp_path / "w")
    read = rnnstates.load_weights(tmp_path / "w").layers[0].forward.recurrent_kernel
    assert read.dtype == (np.float32 if dtype == torch.bfloat16 else str(dtype).removeprefix("torch."))
    np.testing.assert_allclose(read, module.weight_hh_l0.detach().numpy().T, rtol=0, atol=5e-3)
