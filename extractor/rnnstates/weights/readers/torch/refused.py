"""Explains why PyTorch's unpickler stopped, and what to do: whole models, quantised modules, custom classes."""

import contextlib
import itertools
import re
from dataclasses import dataclass
from typing import Any

from .pickle import instructions

__all__ = ["refused_pickle"]

_QUANTISED = re.compile(r"^([\w.-]*?)\.?(?:_packed_\w+|_all_weight_values)\b")
# Classes of modules; a pickled module names its own class and those of its content.
_MODULE = re.compile(r"^torch\.(?:nn\.(?:modules|parallel|quantized|quantizable|intrinsic|qat)|ao\.nn|jit)\.")
# A name in a state_dict; in a module pickled whole, it is not prefixed by another module's name.
_STATE = re.compile(r"[\w.-]{1,80}\.weight_hh(?:_l\d{1,4})?")
# The protocol of pickle that PyTorch writes, and reads as weights alone.
READ_PROTOCOL = 2
# The most instructions of a pickle that are inspected.
MOST_OPERATIONS = 10**6
MOST_NAMED = 5


@dataclass
class _Seen:
    """What pickles name: classes, quantised modules, a recurrent weight; and their protocol."""

    classes: list[str]
    quantised: list[str]
    state: str = ""
    protocol: int = 0

    def add(self, operation: str, argument: Any) -> None:
        """Add an instruction."""
        if operation == "PROTO":
            self.protocol = max(self.protocol, argument)
        elif operation == "GLOBAL":
            self.classes.append(str(argument).replace(" ", "."))
        elif not isinstance(argument, str):
            return
        elif (found := _QUANTISED.match(argument)) and (found[1] or argument) not in self.quantised:
            self.quantised.append(found[1] or argument)
        elif not self.state and _STATE.fullmatch(argument):
            self.state = argument


def refused_pickle(path: str, reason: Exception) -> str:
    """Return the message about what stopped the unpickler, and what to do.

    Parameters
    ----------
    path : str
    reason : Exception
        What it raised.
    """
    stopped, seen = _stopped_by(reason), _looked_through(path)
    quantised, has_modules = seen.quantised, any(map(_MODULE.match, [*seen.classes, stopped.rpartition(" ")[2]]))
    if seen.protocol > READ_PROTOCOL:
        advice = (
            f"it is written with pickle protocol {seen.protocol}, but weights are read with {READ_PROTOCOL} only; save "
            "it again without pickle_protocol, or as safetensors."
        )
    elif seen.state and not quantised:
        advice = (
            f"its weights are a state_dict ('{seen.state}' is in it), but it holds objects of other classes too; where "
            "the file was made, save that alone: torch.save(checkpoint[...], ...) or safetensors."
        )
    elif has_modules:
        advice = (
            f"it is a whole {'quantised ' if quantised else ''}model with its classes, which may run code when it is "
            "read; where the model was made, save its weights, torch.save(model.state_dict(), ...) or safetensors."
        )
    elif quantised:
        names = ", ".join(f"'{name}'" for name in quantised[:MOST_NAMED])
        advice = (
            f"the weights of {names} are quantised; save the model from before it was quantised, "
            "torch.save(model.state_dict(), ...) or safetensors."
        )
    else:
        advice = (
            "expected numbers, text and arrays; where the file was made, save a state_dict, "
            "torch.save(model.state_dict(), ...) or safetensors."
        )
    return f"{path}: PyTorch refuses to read it as weights alone ({stopped}); {advice}"


def _stopped_by(reason: Exception) -> str:
    """Return what stopped the unpickler, without PyTorch's advice to read the file less safely."""
    text = re.sub(r"\x1b\[\d*m", "", str(reason))
    found = re.search(r"WeightsUnpickler error:\s*([^\n]{1,160}?)(?: was not an allowed|\. Please|\n|$)", text)
    said = found[1].strip() if found else f"{type(reason).__name__}: {text[:120]}".replace("\n", " ").strip()
    said = said.replace("Unsupported global: GLOBAL ", "it names ")
    # A class may have any name in a file; control characters are replaced.
    return "".join(character if character.isprintable() else "?" for character in said)


def _looked_through(path: str) -> _Seen:
    """Collect what the pickles of a file name, from their instructions; nothing is run."""
    seen = _Seen([], [])
    # A damaged pickle may raise anything; what was found before that is kept.
    with contextlib.suppress(Exception):
        for operation, argument in itertools.islice(itertools.chain.from_iterable(instructions(path)), MOST_OPERATIONS):
            seen.add(operation, argument)
    return seen
