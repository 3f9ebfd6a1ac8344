"""Who may import whom inside of ``rnnstates``, as data; ``test_architecture`` holds every module to it."""

from typing import NamedTuple

__all__ = ["ANYTHING", "FLOORS", "LIBRARIES", "MOST", "PARTS_OF_TENSORFLOW"]

# From the ground up. A room imports rooms of lower floors only.
FLOORS = (
    {"errors", "version", "arrays"},
    {"runtime", "untrusted"},
    {"network", "inputs"},
    {"engines", "weights", "output"},
    {"extraction", "exporting", "keras", "describe"},
    {"collecting", "sklearn", "verification"},
)

# What a room may import beside the standard library; nothing for the others. "click" is nowhere in rnnstates.
LIBRARIES = {
    "arrays": {"numpy"},
    "runtime": {"tensorflow", "threadpoolctl"},
    "untrusted": {"numpy", "h5py", "hdf5plugin"},
    "network": {"numpy"},
    "inputs": {"numpy", "h5py", "pyarrow"},
    "engines": {"numpy", "tensorflow"},
    "weights": {"numpy", "h5py", "google", "msgpack", "onnx", "tensorflow", "torch"},
    "output": {"numpy", "h5py", "hdf5plugin", "pandas", "pyarrow", "torch", "xarray"},
    "extraction": {"numpy", "h5py"},
    "exporting": {"numpy", "h5py", "zarr"},
    "keras": {"numpy", "keras"},
    "describe": {"h5py"},
    "collecting": {"numpy"},
    "sklearn": {"numpy", "sklearn"},
    "verification": {"numpy", "h5py"},
}

# TensorFlow itself is imported in ``runtime/tensorflow_start.py`` alone. These modules import parts of it, once
# that has started it.
PARTS_OF_TENSORFLOW = {
    "engines/arithmetic.py": "whether it multiplies by oneDNN",
    "weights/readers/checkpoint/file.py": "its messages, for graphs",
    "weights/readers/checkpoint/graph.py": "its messages, for checkpoints",
}


class Most(NamedTuple):
    """What the layout may come to; fewer is better."""

    rooms: int = 17
    floors: int = 6
    imports: int = 79


MOST = Most()

# How many parameters, results, fields and variables of a room are declared to be Any; fewer is better. What is left is
# mostly of frameworks that come without types; a value that is only looked at is an object.
ANYTHING = {
    "__init__": 1,
    "arrays": 2,
    "collecting": 72,
    "engines": 43,
    "extraction": 15,
    "inputs": 15,
    "keras": 88,
    "network": 2,
    "output": 7,
    "runtime": 4,
    "sklearn": 19,
    "untrusted": 22,
    "verification": 9,
    "weights": 69,
}
