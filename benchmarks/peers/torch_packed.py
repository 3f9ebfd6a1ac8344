"""PyTorch's ``nn.LSTM``: packed sequences, and padded ones (whose valid states padding behind them cannot change).

Padded batches reach oneDNN's fused kernel, packed ones compute no padding; either may be the faster. Batches side by
side are described in PyTorch's notes on CPU threading.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from cases import Data

from .base import Packed, Part, Peer, Run
from .batching import Rows, batchings, runner, take


def prepare(data: Data) -> dict[str, Run]:
    import torch

    layer = torch.nn.LSTM(data.inputs.shape[2], data.units, batch_first=True).eval()
    layer.load_state_dict(state_dict(data, "_l0"))
    layer.flatten_parameters()
    ways = {"packed": _packed, "padded": _padded}
    return {
        f"{name}, {batching.name}": runner(data, batching, way(data, layer), lambda: torch.set_num_threads(1))
        for name, way in ways.items()
        for batching in batchings(len(data.lengths))
    }


def state_dict(data: Data, suffix: str) -> dict[str, Any]:
    """Name the weights as PyTorch does; its gates have the order of Keras."""
    import torch

    arrays = {
        "weight_ih": data.kernel.T,
        "weight_hh": data.recurrent_kernel.T,
        "bias_ih": data.bias,
        "bias_hh": np.zeros_like(data.bias),
    }
    return {name + suffix: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


def _packed(data: Data, layer: Any) -> Callable[[Rows], Part]:
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence

    def one(rows: Rows) -> Part:
        with torch.inference_mode():
            lengths = torch.from_numpy(data.lengths[rows])
            batch = torch.from_numpy(take(data, rows))
            packed = pack_padded_sequence(batch, lengths, batch_first=True, enforce_sorted=False)
            hidden = layer(packed)[0]
            order = rows[hidden.sorted_indices.numpy()]
            return Part(order, Packed(hidden.data.numpy(), hidden.batch_sizes.numpy()))

    return one


def _padded(data: Data, layer: Any) -> Callable[[Rows], Part]:
    import torch

    def one(rows: Rows) -> Part:
        with torch.inference_mode():
            return Part(rows, layer(torch.from_numpy(take(data, rows)))[0].numpy())

    return one


PEER = Peer("h", ("torch",), prepare)
