"""Hidden states alone with ``torch.nn.LSTM``: ``python torch_lstm.py INPUTS LENGTHS WEIGHTS.npz OUTPUT``.

Batches of similar length, one thread each, unpacked: what stands behind a sequence does not change its states.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import states_file
import torch

BATCH = 64


def main() -> None:
    inputs, lengths, weights, output = states_file.read()
    stored = {name: torch.from_numpy(array) for name, array in np.load(weights).items()}
    units = len(stored["recurrent_kernel"])
    layer = torch.nn.LSTM(inputs.shape[2], units, batch_first=True)
    layer.load_state_dict(
        {
            "weight_ih_l0": stored["kernel"].T,
            "weight_hh_l0": stored["recurrent_kernel"].T,
            "bias_ih_l0": stored["bias"],
            "bias_hh_l0": torch.zeros(4 * units),
        }
    )
    hidden = np.zeros((*inputs.shape[:2], units), np.float32)

    def run(rows: Any) -> None:
        with torch.inference_mode():
            states = layer(torch.from_numpy(inputs[rows, : lengths[rows].max()]))[0]
        states_file.place(hidden, rows, lengths, states.numpy())

    with ThreadPoolExecutor(os.cpu_count(), initializer=lambda: torch.set_num_threads(1)) as threads:
        list(threads.map(run, states_file.batches(lengths, BATCH)))
    states_file.write(output, {"hidden": hidden}, lengths)


if __name__ == "__main__":
    main()
