"""What a live module of PyTorch says that its state_dict does not."""

import sys
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import BadWeights
from ..given import as_array
from .readers.base import Tensor, computed

__all__ = ["arrays_of", "is_a", "looked_up", "nonlinearity_of", "own_code"]

GIVE_ARRAYS = "Give the arrays: dict(module.named_parameters())."


def is_a(value: Any, package: str, name: str) -> bool:
    """Tell whether a value is of a class of a package, if that is imported at all."""
    kind: Any = sys.modules.get(package)
    for part in name.split("."):
        kind = getattr(kind, part, None)
    return isinstance(kind, type) and isinstance(value, kind)


def nonlinearity_of(weights: Any) -> str | None:
    """Tell what a torch module's ``nn.RNN`` are run with, which no state_dict says; None for no such layer.

    Raises
    ------
    BadWeights
        Several of them differ.
    """
    if not is_a(weights, "torch", "nn.Module"):
        return None
    found = {
        module.nonlinearity
        for module in weights.modules()
        if isinstance(getattr(module, "nonlinearity", None), str) and hasattr(module, "hidden_size")
    }
    if len(found) > 1:
        raise BadWeights(f"weights: its RNN layers use {' and '.join(sorted(found))}; say which with activation=.")
    return found.pop() if found else None


def arrays_of(module: Any) -> Mapping[str, Any]:
    """Give the state_dict of a torch module.

    Raises
    ------
    BadWeights
        It cannot be made, or holds other values than the module computes with.
    """
    kind = type(module).__name__
    try:
        arrays: Mapping[str, Any] = dict(module.state_dict())
    # Its own code, and that of its hooks, may raise anything.
    except Exception as reason:
        raise BadWeights(
            f"weights: state_dict() of {kind} fails ({type(reason).__name__}: {reason}). {GIVE_ARRAYS}"
        ) from reason
    for name, own in module.named_parameters(remove_duplicate=False):
        given = arrays.get(name)
        if given is not None and not _are_equal(given, own, name):
            raise BadWeights(
                f"weights: state_dict() of {kind} gives other values of '{name}' than the module computes with. "
                f"{GIVE_ARRAYS}"
            )
    return arrays


def _are_equal(given: Any, own: Any, name: str) -> bool:
    one, other = (as_array(values, f"weights: '{name}'", BadWeights) for values in (given, own))
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=True)


def own_code(weights: Any, used: Collection[str]) -> tuple[str, ...]:
    """Name the code around the modules that are used which changes what they give and is not run here.

    Hooks, and a ``forward`` or ``__call__`` of the user's own; normalisation, pruning and the like are PyTorch's and
    are followed.

    Parameters
    ----------
    weights : object
        Anything; only of a torch module is there something to say.
    used : collection of str
        The arrays that are run.
    """
    if not is_a(weights, "torch", "nn.Module"):
        return ()
    found = [
        (code, f" of '{name or type(module).__name__}'")
        for name, module in _owners(weights, used).items()
        for code in _code_of(module)
    ]
    found += [(f"the global {hook}", "") for hook in _hooks(sys.modules["torch.nn.modules.module"], "_global")]
    return tuple(
        f"weights: {code}{where} is not run; check that it leaves the states as they are." for code, where in found
    )


def looked_up(weights: Any, table: Tensor | None) -> Tensor | None:
    """Give the rows of an embedding as a torch module looks them up: none longer than its ``max_norm``."""
    if table is None or not is_a(weights, "torch", "nn.Module"):
        return table
    for module in _owners(weights, table.sources).values():
        longest = getattr(module, "max_norm", None)
        if longest is not None and is_a(module, "torch", "nn.Embedding"):
            return computed(table, partial(_shortened, longest=longest, order=module.norm_type))
    return table


def _shortened(rows: Array, longest: float, order: float) -> Array:
    norms = np.linalg.norm(rows, order, axis=1, keepdims=True)
    # As torch.embedding_renorm_ has it.
    return np.where(norms > longest, rows * (longest / (norms + 1e-7)), rows).astype(rows.dtype)


def _owners(weights: Any, arrays: Collection[str]) -> dict[str, Any]:
    """Find the modules that arrays belong to: ``lstm`` of ``lstm.parametrizations.weight_hh_l0.original``."""
    modules = dict(weights.named_modules(remove_duplicate=False))
    names = dict.fromkeys(_owner(array) for array in sorted(arrays))
    return {name: modules[name] for name in names if name in modules}


def _owner(array: str) -> str:
    inside, parametrised, _ = f".{array}".partition(".parametrizations.")
    return (inside if parametrised else inside.rpartition(".")[0])[1:]


def _code_of(module: Any) -> Iterator[str]:
    yield from (f"the {hook}" for hook in _hooks(module, ""))
    own = vars(module).get("forward")
    if own is not None and not _is_torch(own):
        yield f"the forward {_called(own)}"
    kind: Any = type(module)
    theirs = next(base for base in kind.__mro__ if base.__module__.startswith("torch.nn."))
    yield from (
        f"the {name} of the class {kind.__name__}"
        for name in ("forward", "__call__")
        if not is_a(module, "torch", "jit.ScriptModule") and getattr(kind, name) is not getattr(theirs, name)
    )


def _hooks(owner: Any, prefix: str) -> Iterator[str]:
    for kind in ("_forward_pre_hooks", "_forward_hooks"):
        yield from (f"hook {_called(hook)}" for hook in getattr(owner, prefix + kind).values() if not _is_torch(hook))


def _is_torch(function: Any) -> bool:
    function = getattr(function, "__func__", function)
    # A wrapper may have taken over the module of what it wraps, but not its globals.
    homes = getattr(function, "__module__", ""), getattr(function, "__globals__", {}).get("__name__", "torch.")
    return all(str(home).startswith("torch.") for home in homes)


def _called(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
