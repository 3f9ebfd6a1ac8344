"""Hidden states alone with ONNX Runtime: ``python onnx_lstm.py INPUTS LENGTHS MODEL.onnx OUTPUT``."""

import numpy as np
import onnxruntime
import states_file

BATCH = 64


def main() -> None:
    inputs, lengths, model, output = states_file.read()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    units = session.get_outputs()[0].shape[3]
    hidden = np.zeros((*inputs.shape[:2], units), np.float32)
    for rows in states_file.batches(lengths, BATCH):
        batch = np.ascontiguousarray(inputs[rows, : lengths[rows].max()].swapaxes(0, 1))
        (states,) = session.run(["Y"], {"X": batch, "lengths": lengths[rows].astype(np.int32)})
        states_file.place(hidden, rows, lengths, states[:, 0].swapaxes(0, 1))
    states_file.write(output, {"hidden": hidden}, lengths)


if __name__ == "__main__":
    main()
