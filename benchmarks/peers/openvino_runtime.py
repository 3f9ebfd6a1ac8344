"""OpenVINO on the ONNX model: the latency hint, and the throughput hint with a queue of asynchronous requests.

As it comes it may choose bfloat16 where the processor has it; ``INFERENCE_PRECISION_HINT`` asks for float32.
"""

from functools import partial
from typing import Any

import numpy as np
from cases import Data

from .base import Part, Peer, Run
from .batching import Rows, batches, batchings, take, time_major
from .onnx_model import model_bytes


def prepare(data: Data, precision: str | None) -> dict[str, Run]:
    import openvino

    core = openvino.Core()
    model = core.read_model(model_bytes(data))
    settings = {"INFERENCE_PRECISION_HINT": precision} if precision else {}
    compiled = {
        aside: core.compile_model(model, "CPU", {"PERFORMANCE_HINT": hint, **settings})
        for aside, hint in ((False, "LATENCY"), (True, "THROUGHPUT"))
    }
    ways = {False: _synchronous, True: _queued}
    return {
        batching.name: partial(ways[batching.aside], data, compiled[batching.aside], batching.size)
        for batching in batchings(len(data.lengths))
    }


def _feeds(data: Data, rows: Rows) -> dict[str, Any]:
    return {"X": time_major(take(data, rows)), "lengths": data.lengths[rows].astype(np.int32)}


def _part(rows: Rows, values: Any) -> Part:
    return Part(rows, values[:, 0].swapaxes(0, 1))


def _synchronous(data: Data, compiled: Any, size: int | None) -> list[Part]:
    return [_part(rows, compiled(_feeds(data, rows))[0]) for rows in batches(data.lengths, size)]


def _queued(data: Data, compiled: Any, size: int | None) -> list[Part]:
    import openvino

    parts: list[Part] = []
    queue = openvino.AsyncInferQueue(compiled)
    # The request's buffer is used again by the next batch, so its values are copied.
    queue.set_callback(lambda request, rows: parts.append(_part(rows, request.get_output_tensor(0).data.copy())))
    for rows in batches(data.lengths, size):
        queue.start_async(_feeds(data, rows), rows)
    queue.wait_all()
    return parts


FLOAT32 = Peer("h", ("openvino", "onnx"), partial(prepare, precision="f32"))
AS_IT_COMES = Peer("h", ("openvino", "onnx"), partial(prepare, precision=None), exact=False)
