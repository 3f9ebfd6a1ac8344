"""PyTorch's ``nn.LSTMCell`` in a loop over steps, longest sequence first, so that finished ones are not computed.

The step is also tried through ``torch.compile``, where a C++ compiler is there for it.
"""

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
from cases import Data

from .base import Part, Peer, Run
from .batching import Batching, Rows, batchings, runner, take, time_major
from .torch_packed import state_dict


def prepare(data: Data) -> dict[str, Run]:
    import torch

    cell = torch.nn.LSTMCell(data.inputs.shape[2], data.units).eval()
    cell.load_state_dict(state_dict(data, ""))
    runs = {
        batching.name: runner(data, batching, _loop(data, cell), lambda: torch.set_num_threads(1))
        for batching in batchings(len(data.lengths))
    }
    if shutil.which("c++"):
        # Not in batches: measured, they were ten times slower through torch.compile than without it.
        runs["compiled, whole"] = runner(data, Batching(None, False), _loop(data, torch.compile(cell, dynamic=True)))
    return runs


def _loop(data: Data, cell: Any) -> Callable[[Rows], Part]:
    import torch

    def one(rows: Rows) -> Part:
        rows = rows[np.argsort(-data.lengths[rows], kind="stable")]
        with torch.inference_mode():
            inputs = torch.from_numpy(time_major(take(data, rows)))
            hidden, states = (torch.empty(*inputs.shape[:2], data.units) for _ in range(2))
            live = np.searchsorted(-data.lengths[rows], -np.arange(len(inputs)), side="left").tolist()
            h = c = torch.zeros(len(rows), data.units)
            for step, count in enumerate(live):
                h, c = cell(inputs[step, :count], (h[:count], c[:count]))
                hidden[step, :count], states[step, :count] = h, c
            return Part(rows, hidden.numpy().swapaxes(0, 1), states.numpy().swapaxes(0, 1))

    return one


PEER = Peer("c+h", ("torch",), prepare)
