"""Why PyTorch's unpickler stopped, and what a user can do: whole models, quantised modules, classes of one's own."""

import itertools
import pickletools
import re
import zipfile

from ...errors import BadWeights
from ...zip_guard import open_zip

__all__ = ["refused_pickle"]

_QUANTISED = re.compile(r"^([\w.-]*?)\.?(?:_packed_\w+|_all_weight_values)\b")
# Classes of modules; a module that is pickled brings its own class and those of what it holds.
_MODULE = re.compile(r"^torch\.(?:nn\.(?:modules|parallel|quantized|quantizable|intrinsic|qat)|ao\.nn|jit)\.")
# More of a pickle is not looked through.
LARGEST_PICKLE, MOST_OPERATIONS = 2**26, 10**6
MOST_NAMED = 5


def refused_pickle(path: str, reason: Exception) -> str:
    """Say what stopped the unpickler, and the way out.

    Parameters
    ----------
    path : str
    reason : Exception
        What it raised.
    """
    stopped = _stopped_by(reason)
    classes, quantised = _looked_through(path)
    if any(_MODULE.match(name) for name in [*classes, stopped.rpartition(" ")[2]]):
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
    """Give what stopped the unpickler, without the advice around it to read the file less safely."""
    text = re.sub(r"\x1b\[\d*m", "", str(reason))
    found = re.search(r"WeightsUnpickler error:\s*([^\n]{1,160}?)(?: was not an allowed|\. Please|\n|$)", text)
    said = found[1].strip() if found else f"{type(reason).__name__}: {text[:120]}".replace("\n", " ").strip()
    said = said.replace("Unsupported global: GLOBAL ", "it names ")
    # A class may have any name in a file; what does something to a terminal is left out.
    return "".join(letter if letter.isprintable() else "?" for letter in said)


def _looked_through(path: str) -> tuple[list[str], list[str]]:
    """Give the classes that a pickle names and its quantised modules, from its instructions; nothing is run."""
    classes: dict[str, None] = {}
    quantised: dict[str, None] = {}
    try:
        for operation, argument, _ in itertools.islice(pickletools.genops(_pickle_of(path)), MOST_OPERATIONS):
            if operation.name == "GLOBAL":
                classes[str(argument).replace(" ", ".")] = None
            elif isinstance(argument, str) and (found := _QUANTISED.match(argument)):
                quantised[found[1] or argument] = None
    except Exception:  # noqa: S110
        # A damaged pickle raises whatever its bytes bring about; what was found before that stands.
        pass
    return list(classes), list(quantised)


def _pickle_of(path: str) -> bytes:
    """Read the pickle of an archive; empty where there is none of a size to be looked through."""
    with open_zip(path, BadWeights) as archive:
        member = next(info for info in archive.infolist() if info.filename.endswith("data.pkl"))
        if member.file_size > LARGEST_PICKLE or member.compress_type != zipfile.ZIP_STORED:
            return b""
        return archive.read(member)
