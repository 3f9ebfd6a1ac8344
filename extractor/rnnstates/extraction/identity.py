"""Describes everything that the bytes of an output depend on, so that a different job never resumes it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays.checksums import add, sums
from ..network.fingerprint import fingerprint
from ..output.format import Shape
from ..output.layout import Ids
from .job import Job

__all__ = ["Recorded", "identity_of", "recorded"]

# Provenance that may differ between runs of the same job.
ANY = ("command", "started", "notes", "identity", "repacked")
# What identifies weights, initial states and inputs, in JSON types.
Recorded = Mapping[str, Any]

ROWS_AT_ONCE = 65536
BYTES_AT_ONCE = 2**25


def recorded(job: Job) -> Recorded:
    """Describe what cannot be derived from the contents of a states file, in JSON types.

    Returns
    -------
    dict
        ``weights`` and ``initial_state``: what identifies them; ``inputs``: checksums of an array in memory, None for
        files, which have a modification time, and for streams, which are read once.
    """
    initial = None if job.initial is None else job.initial.identity
    return {"weights": fingerprint(job.network), "initial_state": initial, "inputs": _sums_of(job)}


def _sums_of(job: Job) -> list[int] | None:
    source = job.source
    if source.identity["kind"] != "memory":
        return None
    total, (sequences, steps, *_) = (0, 0), source.shape
    rows = max(1, BYTES_AT_ONCE * sequences // max(1, int(np.prod(source.shape)) * source.dtype.itemsize))
    for start in range(0, sequences, rows):
        block = np.ascontiguousarray(source.read(slice(start, min(start + rows, sequences)), slice(0, steps)))
        total = add(total, sums(block.reshape(-1).view(np.uint8), start * block[0].nbytes))
    return list(total)


def identity_of(provenance: Mapping[str, Any], shape: Shape, ids: Ids | None) -> dict[str, Any]:
    """Describe everything that an output depends on.

    Parameters
    ----------
    provenance : mapping
        What the output says about how it is made, with ``identity`` from ``recorded``.
    shape : Shape
    ids : Ids or None

    Returns
    -------
    dict
        In JSON types: input, lengths, ids, weights, initial states, options, plan, engine, arithmetic, versions.
    """
    known: dict[str, Any] = {name: value for name, value in provenance.items() if name not in ANY}
    # The same file under a different path is the same input.
    known["input"] = {name: value for name, value in known["input"].items() if name != "path"}
    weights = {name: value for name, value in known["weights"].items() if name not in ("file", "model_file")}
    if "config" in weights.get("options", {}):
        # Its SHA-256 identifies it, wherever it is.
        weights["options"] = {name: value for name, value in weights["options"].items() if name != "config"}
    known["weights"] = {**weights, "fingerprint": provenance["identity"]["weights"]}
    known["lengths"] = _digest(np.ascontiguousarray(shape.lengths).data)
    known["ids"] = None if ids is None else _digest(*(block.tobytes() for _, block in ids.blocks(ROWS_AT_ONCE)))
    known["initial_state"] = provenance["identity"]["initial_state"]
    known["layout"], known["padding"] = shape.layout, shape.padding
    known.pop("initial_state_file")
    # As a journal returns it.
    return dict(json.loads(json.dumps(known, sort_keys=True, default=str)))


def _digest(*parts: bytes | memoryview) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
