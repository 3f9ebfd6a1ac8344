"""States of every form: in memory and in a file, padded behind and in front, packed, with ids and without."""

import numpy as np

import rnnstates

N, T, I = 9, 7, 3
LENGTHS = [7, 2, 0, 3, 7, 1, 0, 5, 4]
IDS = ["é", "b/1", "hidden", "", "four", "5", "six", "seven", "a long name"]
FORMS = {
    "memory": {},
    "memory, packed": {"layout": "packed"},
    "file": {"output": "o.h5", "ids": IDS},
    "file, packed": {"output": "o.h5", "layout": "packed", "ids": IDS},
    "file, in front": {"output": "o.h5", "padding": "pre"},
}


def extracted(form, folder, **more):
    """Give states of random inputs in one of the forms."""
    options = {"units": 4, "engine": "numpy"} | FORMS[form] | more
    if "output" in options:
        options["output"] = folder / options["output"]
    inputs = np.random.RandomState(1).standard_normal((N, T, I)).astype(np.float32)
    return rnnstates.extract(inputs, LENGTHS, **options)


def of_sequence(states, name, row):
    """Give the valid steps of a sequence, or its vector, by what the format says."""
    values = np.asarray(states[name])
    if name == "lengths" or name.endswith(("_mean", "_last")):
        return values[row]
    if states.attributes["layout"] == "packed":
        offsets = np.asarray(states["offsets"])
        return values[offsets[row] : offsets[row + 1]]
    return values[row, T - LENGTHS[row] :] if states.attributes["padding"] == "pre" else values[row, : LENGTHS[row]]
