"""Reads from a live PyTorch module what its state_dict does not record."""

import re
import sys
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from ..arrays.axes import Array
from ..errors import BadWeights
from ..untrusted.given import as_array
from .readers.base import Tensor, computed

__all__ = ["arrays_of", "is_a", "looked_up", "nonlinearity_of", "own_code"]

# A module of PyTorch, which this does not import; or any other object, until that is known.
Module: TypeAlias = Any

GIVE_ARRAYS = "Give the arrays: dict(module.named_parameters())."
# Modules that change no value in eval mode, by the name of their class, which is all that scripted modules keep.
_PASSES = re.compile(r"dropout|loss$|^(identity|flatten|unflatten|sequential|modulelist|moduledict)$", re.IGNORECASE)


def is_a(value: object, package: str, name: str) -> bool:
    """Return whether a value is an instance of a package's class; False if the package is not imported."""
    kind: Any = sys.modules.get(package)
    for part in name.split("."):
        kind = getattr(kind, part, None)
    return isinstance(kind, type) and isinstance(value, kind)


def nonlinearity_of(weights: Module) -> str | None:
    """Return the nonlinearity of a torch module's ``nn.RNN`` layers, which no state_dict records; None without any.

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
        raise BadWeights(f"weights: its RNN layers use {' and '.join(sorted(found))}; choose one with activation=.")
    return found.pop() if found else None


def arrays_of(module: Module) -> Mapping[str, Any]:
    """Return the state_dict of a torch module; parametrised weights as the module computes them in eval mode.

    Raises
    ------
    BadWeights
        It cannot be created, or holds other values than the module computes with.
    """
    kind = type(module).__name__
    try:
        arrays: Mapping[str, Any] = dict(module.state_dict())
    # Custom code and hooks may raise anything.
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
    return _computed(module, arrays)


def _computed(module: Module, arrays: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace the arrays of parametrisations by the weights computed from them."""
    chains = {
        f"{name}.": part
        for name, part in module.named_modules(remove_duplicate=False)
        if is_a(part, "torch.nn.utils.parametrize", "ParametrizationList")
    }
    computed: dict[str, Any] = {}
    for array, values in arrays.items():
        prefix = next((prefix for prefix in chains if array.startswith(prefix)), None)
        if prefix is None:
            computed[array] = values
            continue
        home, _, parameter = prefix[:-1].rpartition("parametrizations.")
        if (name := home + parameter) not in computed:
            computed[name] = _evaluated(chains[prefix], name)
    return computed


def _evaluated(chain: Module, name: str) -> Any:
    """Compute a parametrised weight in eval mode; in training mode some change their buffers each time."""
    parts = {part: part.training for part in chain.modules()}
    try:
        chain.eval()
        with sys.modules["torch"].no_grad():
            return chain()
    # Custom code may raise anything.
    except Exception as reason:
        raise BadWeights(
            f"weights: the parametrisation of '{name}' fails ({type(reason).__name__}: {reason}); expected what the "
            "module computes with. torch.nn.utils.parametrize.remove_parametrizations removes it."
        ) from reason
    finally:
        for part, training in parts.items():
            part.training = training


def _are_equal(given: object, own: object, name: str) -> bool:
    one, other = (as_array(values, f"weights: '{name}'", BadWeights) for values in (given, own))
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=True)


def own_code(weights: Module, used: Collection[str]) -> tuple[str, ...]:
    """Return notes on code around the used modules that may change their results and is not run here.

    Hooks, also of modules around them, a custom ``forward`` or ``__call__``, and modules before them without arrays;
    PyTorch's own normalisation, pruning and the like are supported.

    Parameters
    ----------
    weights : object
        Anything; only torch modules give notes.
    used : collection of str
        The arrays that are used.
    """
    if not is_a(weights, "torch", "nn.Module"):
        return ()
    modules = dict(weights.named_modules(remove_duplicate=False))
    owners = _owners(weights, used)
    around = sorted({outer for name in owners for outer in _outer(name)} - owners.keys())
    found = [(code, name) for name, module in owners.items() for code in _code_of(module)]
    found += [(f"the {hook}", name) for name in around for hook in _hooks(modules[name], "")]
    named = [f"{code} of '{name or type(weights).__name__}'" for code, name in found]
    named += [f"the global {hook}" for hook in _hooks(sys.modules["torch.nn.modules.module"], "_global")]
    notes = [f"weights: {code} is not run; check that it leaves the states as they are." for code in named]
    return (*notes, *(note for place in around for note in _skipped(modules, place, owners)))


def looked_up(weights: object, table: Tensor | None) -> Tensor | None:
    """Return an embedding as a torch module looks it up: no row longer than its ``max_norm``."""
    if table is None or not is_a(weights, "torch", "nn.Module"):
        return table
    for module in _owners(weights, table.sources).values():
        longest = getattr(module, "max_norm", None)
        if longest is not None and is_a(module, "torch", "nn.Embedding"):
            return computed(table, partial(_shortened, longest=longest, order=module.norm_type))
    return table


def _shortened(rows: Array, longest: float, order: float) -> Array:
    norms = np.linalg.norm(rows, order, axis=1, keepdims=True)
    # As in torch.embedding_renorm_.
    return np.where(norms > longest, rows * (longest / (norms + 1e-7)), rows).astype(rows.dtype)


def _owners(weights: Module, arrays: Collection[str]) -> dict[str, Any]:
    """Find the modules that arrays belong to."""
    modules = dict(weights.named_modules(remove_duplicate=False))
    names = dict.fromkeys(array.rpartition(".")[0] for array in sorted(arrays))
    return {name: modules[name] for name in names if name in modules}


def _outer(name: str) -> list[str]:
    """Return the modules around one: for ``a.b`` the root, which has no name, and ``a``."""
    parts = name.split(".") if name else []
    return [".".join(parts[:depth]) for depth in range(len(parts))]


def _skipped(modules: Mapping[str, Any], place: str, owners: Collection[str]) -> Iterator[str]:
    """Yield notes on modules without arrays that are defined before a used module; later ones read states."""
    children = [name for name in modules if name and _outer(name)[-1] == place]
    used = [name for name in children if any(f"{owner}.".startswith(f"{name}.") for owner in owners)]
    before = [name for name in children[: children.index(used[-1])] if name not in used]
    named = [f"'{name}' ({_class_of(modules[name])})" for name in before if _is_unseen(modules[name])]
    if named:
        verb, they, it = ("is", "it stands", "it") if len(named) == 1 else ("are", "they stand", "them")
        yield (
            f"weights: {', '.join(named)} {verb} not run; if {they} before '{used[-1]}', its inputs must already have "
            f"passed {it}."
        )


def _is_unseen(module: Module) -> bool:
    """Return whether a module may change values but has no arrays, by which other modules are found."""
    has_arrays = any(is_a(value, "torch", "Tensor") for value in module.state_dict().values())
    return not has_arrays and not all(_PASSES.search(_class_of(part)) for part in module.modules())


def _class_of(module: object) -> str:
    return str(getattr(module, "original_name", type(module).__name__))


def _code_of(module: object) -> Iterator[str]:
    yield from (f"the {hook}" for hook in _hooks(module, ""))
    own = vars(module).get("forward")
    if own is not None and not _is_torch(own):
        yield f"the forward {_called(own)}"
    kind: Any = type(module)
    # Classes that PyTorch creates for parametrised modules derive from the custom ones.
    bases = [base for base in kind.__mro__ if base.__module__ != "torch.nn.utils.parametrize"]
    theirs = next(base for base in bases if base.__module__.startswith("torch.nn."))
    yield from (
        f"the {name} of the class {bases[0].__name__}"
        for name in ("forward", "__call__")
        if not is_a(module, "torch", "jit.ScriptModule") and getattr(kind, name) is not getattr(theirs, name)
    )


def _hooks(owner: object, prefix: str) -> Iterator[str]:
    for kind in ("_forward_pre_hooks", "_forward_hooks"):
        yield from (f"hook {_called(hook)}" for hook in getattr(owner, prefix + kind).values() if not _is_torch(hook))


def _is_torch(function: object) -> bool:
    function = getattr(function, "__func__", function)
    # A wrapper may copy the module name of what it wraps, but not its globals.
    homes = getattr(function, "__module__", ""), getattr(function, "__globals__", {}).get("__name__", "torch.")
    return all(str(home).startswith("torch.") for home in homes)


def _called(function: object) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
