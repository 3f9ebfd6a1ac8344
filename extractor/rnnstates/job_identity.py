"""All that the bytes of an output depend on, so that an unfinished one is never gone on with by another job."""

import hashlib
import json
from typing import Any

import numpy as np

from .job import Job
from .weights.fingerprint import fingerprint

__all__ = ["identity"]

# What provenance says that another run of the same job may say differently.
ANY = ("command", "started", "notes")
ROWS_AT_ONCE = 65536


def identity(job: Job, provenance: str) -> dict[str, Any]:
    """Describe what a job computes.

    Parameters
    ----------
    job : Job
    provenance : str
        What the output says of how it is made: one JSON object.

    Returns
    -------
    dict
        In JSON types: input, lengths, ids, weights, initial states, options, plan, engine, versions.
    """
    known: dict[str, Any] = {name: value for name, value in json.loads(provenance).items() if name not in ANY}
    # The same file by another path is the same input.
    known["input"] = {name: value for name, value in known["input"].items() if name != "path"}
    known["weights"] = {
        **{name: value for name, value in known["weights"].items() if name != "file"},
        "fingerprint": fingerprint(job.network),
    }
    known["lengths"] = _digest(np.ascontiguousarray(job.shape.lengths).data)
    known["ids"] = None if job.ids is None else _digest(*(block.tobytes() for _, block in job.ids.blocks(ROWS_AT_ONCE)))
    known["initial_state"] = None if job.initial is None else job.initial.identity
    known["layout"], known["padding"] = job.shape.layout, job.shape.padding
    known.pop("initial_state_file")
    # As a journal gives it back.
    return dict(json.loads(json.dumps(known, default=str)))


def _digest(*parts: Any) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
