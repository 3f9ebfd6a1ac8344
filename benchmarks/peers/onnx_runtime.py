"""ONNX Runtime's LSTM with lengths: threads inside a run, or runs side by side (``Run`` is thread-safe)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from cases import Data

from .base import Part, Peer, Run
from .batching import Rows, batchings, runner, take, time_major
from .onnx_model import model_bytes


def prepare(data: Data) -> dict[str, Run]:
    model = model_bytes(data)
    sessions = {False: _session(model, threads=0), True: _session(model, threads=1)}
    return {
        batching.name: runner(data, batching, _one(data, sessions[batching.aside]))
        for batching in batchings(len(data.lengths))
    }


def _session(model: bytes, threads: int) -> Any:
    """Open the model; 0 threads are one a core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _one(data: Data, session: Any) -> Callable[[Rows], Part]:
    def one(rows: Rows) -> Part:
        feeds = {"X": time_major(take(data, rows)), "lengths": data.lengths[rows].astype(np.int32)}
        return Part(rows, session.run(["Y"], feeds)[0][:, 0].swapaxes(0, 1))

    return one


PEER = Peer("h", ("onnxruntime", "onnx"), prepare)
