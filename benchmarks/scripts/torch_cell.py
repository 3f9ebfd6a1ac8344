"""Hidden and cell states with ``torch.nn.LSTMCell``: ``python torch_cell.py INPUTS LENGTHS WEIGHTS.npz OUTPUT``."""

import numpy as np
import states_file
import torch

BATCH = 256


def main() -> None:
    inputs, lengths, weights, output = states_file.read()
    stored = {name: torch.from_numpy(array) for name, array in np.load(weights).items()}
    units = len(stored["recurrent_kernel"])
    cell = torch.nn.LSTMCell(inputs.shape[2], units)
    cell.load_state_dict(
        {
            "weight_ih": stored["kernel"].T,
            "weight_hh": stored["recurrent_kernel"].T,
            "bias_ih": stored["bias"],
            "bias_hh": torch.zeros(4 * units),
        }
    )
    hidden, cells = (np.zeros((*inputs.shape[:2], units), np.float32) for _ in range(2))
    for rows in states_file.batches(lengths, BATCH):
        steps = lengths[rows].max()
        batch = torch.from_numpy(np.ascontiguousarray(inputs[rows, :steps].swapaxes(0, 1)))
        collected = torch.empty(2, steps, len(rows), units)
        h = c = torch.zeros(len(rows), units)
        with torch.inference_mode():
            for step in range(steps):
                live = int((lengths[rows] > step).sum())
                h, c = cell(batch[step, :live], (h[:live], c[:live]))
                collected[0, step, :live], collected[1, step, :live] = h, c
        for states, values in zip((hidden, cells), collected.numpy(), strict=True):
            states_file.place(states, rows, lengths, values.swapaxes(0, 1))
    states_file.write(output, {"hidden": hidden, "cell": cells}, lengths)


if __name__ == "__main__":
    main()
