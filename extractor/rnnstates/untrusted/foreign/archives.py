"""Recognises zip archives by the names of their members; nothing is unpacked."""

import re
from collections.abc import Sequence

from .kind import Kind
from .models import MODELS
from .values import VALUES

__all__ = ["kind_of_archive", "may_be_npz"]

# Patterns that all match some name: what the archive is. The first match counts.
_MEMBERS: tuple[tuple[tuple[str, ...], str], ...] = (
    ((r"(^|/)archive_format$",), "exported program"),
    ((r"(^|/)serialized_exported_program\.json$",), "exported program"),
    ((r"(^|/)\.data/extern_modules$",), "torch package"),
    ((r"(^|/)constants\.pkl$",), "torchscript"),
    ((r"(^|/)code/__torch__",), "torchscript"),
    ((r"^policy\.pth$",), "stable-baselines3"),
    ((r"^_stable_baselines3_version$",), "stable-baselines3"),
    ((r"(^|/)data\.pkl$",), "torch"),
    ((r"^coefficients\.bin$", r"^configuration\.json$"), "deeplearning4j"),
    ((r"^model\.weights\.h5$",), "keras"),
    ((r"^config\.json$", r"^metadata\.json$"), "keras"),
    ((r"(^|/)Manifest\.json$", r"com\.apple\.CoreML/"), "coreml package"),
    ((r"^xl/",), "excel"),
    ((r"^(word|ppt)/",), "document"),
    ((r"^META-INF/MANIFEST\.MF$",), "executable"),
    ((r"(^|/)(\.zgroup|\.zarray|zarr\.json)$",), "zarr"),
)
_MOST_NAMED, _LONGEST = 4, 60


def kind_of_archive(names: Sequence[str]) -> Kind:
    """Return the kind of an archive with members of these names.

    Parameters
    ----------
    names : sequence of str
        Empty if its directory is damaged.
    """
    if not names:
        return VALUES["damaged zip"]
    if all(name.endswith(".npy") for name in names):
        arrays = [name.removesuffix(".npy") for name in names]
        kind = VALUES["npz"]
        first = "inputs" if "inputs" in arrays else ascii(arrays[0][:_LONGEST])[1:-1]
        mend = kind.mend.replace("{file}", first if first.isidentifier() else "inputs").replace("{first}", first)
        return kind._replace(found=kind.found.replace("{names}", _listed(arrays)), mend=mend)
    for patterns, kind_name in _MEMBERS:
        if all(any(re.search(pattern, name) for name in names) for pattern in patterns):
            return (MODELS | VALUES)[kind_name]
    kind = VALUES["zip"]
    return kind._replace(found=kind.found.replace("{names}", _listed(names)))


def may_be_npz(kind: Kind) -> bool:
    """Return whether a kind is an archive of NumPy arrays, or an unknown one, whose members may be arrays."""
    return kind.found.startswith("a zip archive")


def _listed(names: Sequence[str]) -> str:
    some = ", ".join(ascii(name[:_LONGEST]) for name in names[:_MOST_NAMED])
    return some + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")
