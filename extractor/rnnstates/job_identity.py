"""All that the bytes of an output depend on, so that an unfinished one is never resumed by a different job."""

import hashlib
import json
from typing import Any

import numpy as np

from .job import Job
from .output.format import Shape
from .output.layout import Ids
from .weights.fingerprint import fingerprint

__all__ = ["identity", "identity_of"]

# What provenance says that another run of the same job may say differently.
ANY = ("command", "started", "notes")
ROWS_AT_ONCE = 65536


def identity(job: Job, provenance: str) -> dict[str, Any]:
    """Describe what a job computes; see ``identity_of``."""
    initial = None if job.initial is None else job.initial.identity
    return identity_of(provenance, job.shape, job.ids, fingerprint=fingerprint(job.network), initial=initial)


def identity_of(provenance: str, shape: Shape, ids: Ids | None, *, fingerprint: Any, initial: Any) -> dict[str, Any]:
    """Describe all that an output depends on.

    Parameters
    ----------
    provenance : str
        What the output says of how it is made: one JSON object.
    shape : Shape
    ids : Ids or None
    fingerprint, initial : JSON types
        What tells the weights, and the initial states, from others.

    Returns
    -------
    dict
        In JSON types: input, lengths, ids, weights, initial states, options, plan, engine, arithmetic, versions.
    """
    known: dict[str, Any] = {name: value for name, value in json.loads(provenance).items() if name not in ANY}
    # The same file by another path is the same input.
    known["input"] = {name: value for name, value in known["input"].items() if name != "path"}
    weights = {name: value for name, value in known["weights"].items() if name not in ("file", "model_file")}
    if "config" in weights.get("options", {}):
        # Its SHA-256 says which it is, wherever it lies.
        weights["options"] = {name: value for name, value in weights["options"].items() if name != "config"}
    known["weights"] = {**weights, "fingerprint": fingerprint}
    known["lengths"] = _digest(np.ascontiguousarray(shape.lengths).data)
    known["ids"] = None if ids is None else _digest(*(block.tobytes() for _, block in ids.blocks(ROWS_AT_ONCE)))
    known["initial_state"] = initial
    known["layout"], known["padding"] = shape.layout, shape.padding
    known.pop("initial_state_file")
    # As a journal gives it back.
    return dict(json.loads(json.dumps(known, default=str)))


def _digest(*parts: Any) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
