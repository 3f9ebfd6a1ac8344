"""Records how the output of ``collect`` was made and what it depends on."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..engines.arithmetic import machine, of_tensorflow
from ..extraction.provenance import Computing, provenance_of
from ..keras.started import keras, tf
from ..weights.readers import digest
from .architecture import architecture_of
from .finding import Layer
from .windows import Collection

__all__ = ["origin_of", "record"]


def origin_of(model: Layer, file: str | None) -> dict[str, Any]:
    """Identify the model, in JSON types.

    Parameters
    ----------
    model : keras.Model
    file : str or None
        The file that it was read from.
    """
    whole = hashlib.sha256(str(type(model).__qualname__).encode())
    for weight in model.weights:
        array = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
        whole.update(f"{array.shape} {array.dtype}".encode())
        whole.update(array.tobytes())
    known = {
        "model": model.name,
        "class": type(model).__name__,
        "weights_sha256": whole.hexdigest(),
        "architecture_sha256": architecture_of(model),
    }
    return known if file is None else {**known, "model_file": file, "sha256": digest(file)}


def record(collection: Collection, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the provenance of the states, with the keys that ``extract`` uses."""
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    executors = {part.path: "keras" for part in collection.network.listed}
    arithmetic = {"machine": machine(), "keras": keras.__version__, "tensorflow": of_tensorflow(tf)}
    return provenance_of(collection, Computing(device, executors, arithmetic), extra, _recorded(collection))


def _recorded(collection: Collection) -> dict[str, Any]:
    """Return what a states file cannot reveal by its own contents; as ``extraction.identity.recorded``."""
    feed, rows = collection.source, collection.grid.batch_rows
    total, in_memory = (0, 0), any(one.identity["mtime_ns"] is None for one in feed.opened)
    for start in range(0, feed.sequences if in_memory else 0, rows):
        taken = slice(start, min(start + rows, feed.sequences))
        total = feed.sums(feed.read(taken), taken, total)
    inputs = list(total) if in_memory else None
    # The same model under another path is the same.
    weights = {name: value for name, value in collection.network.origin.items() if name != "model_file"}
    return {"weights": weights, "initial_state": None, "inputs": inputs}
