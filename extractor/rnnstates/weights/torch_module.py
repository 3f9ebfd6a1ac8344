"""What a live module of PyTorch says that its state_dict does not."""

import sys
from collections.abc import Iterator
from typing import Any

from ..errors import BadWeights

__all__ = ["is_a", "nonlinearity_of", "own_code"]


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


def own_code(weights: Any) -> tuple[str, ...]:
    """Name the code around the recurrent layers of a torch module that changes what they give and is not run here.

    Hooks, and a ``forward`` of the user's own; normalisation, pruning and the like are PyTorch's and are followed.
    """
    if not is_a(weights, "torch", "nn.Module"):
        return ()
    layers = ("nn.RNNBase", "nn.RNNCellBase")
    recurrent = [pair for pair in weights.named_modules() if any(is_a(pair[1], "torch", kind) for kind in layers)]
    return tuple(
        f"weights: {found} of '{name or type(module).__name__}' is not run; "
        "check that it leaves the states as they are."
        for name, module in recurrent
        for found in _code_of(module)
    )


def _code_of(module: Any) -> Iterator[str]:
    for hook in (*module._forward_pre_hooks.values(), *module._forward_hooks.values()):
        if not str(getattr(hook, "__module__", "")).startswith("torch."):
            yield f"the hook {getattr(hook, '__name__', type(hook).__name__)}"
    kind: Any = type(module)
    theirs = next(base for base in kind.__mro__ if base.__module__.startswith("torch.nn."))
    if kind.forward is not theirs.forward:
        yield f"the forward of the class {kind.__name__}"
