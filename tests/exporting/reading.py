"""How each format is read back by the library that its users would use; and small outputs to export."""

import json

import numpy as np

import rnnstates

from ..builders import bidirectional_stack, one_layer, ragged

__all__ = ["ARRAYS", "TABLES", "made", "of_steps", "texts"]

TEXTS = [f"a{'é' * (number % 4)}/{number}" for number in range(9)]


def made(path, *, stack=False, ids=None, **options):
    """Write a states file of nine sequences, 0 and T among their lengths."""
    inputs, lengths = ragged()
    if options.get("padding") == "pre":
        inputs = inputs[:, ::-1]
    weights = bidirectional_stack() if stack else one_layer()
    options = {"pool": "mean,last", "engine": "numpy", **options}
    with rnnstates.extract(inputs[:, :, :3], lengths, weights=weights, ids=ids, output=path, **options):
        return path


def texts(ids):
    return [one.decode() if isinstance(one, bytes) else one for one in ids]


def of_steps(states, name):
    """Join the valid steps of all sequences, as ``States`` gives them."""
    return np.concatenate([sequence[name] for sequence in states])


def _npz(path):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    return {name: array.item() if name == "provenance" else array for name, array in arrays.items()}


def _torch(path):
    import torch

    read = torch.load(path, weights_only=True)
    return {name: one.numpy() if isinstance(one, torch.Tensor) else one for name, one in read.items()}


def _safetensors(path):
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        metadata = file.metadata() or {}
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    ids = {"ids": json.loads(metadata["ids"])} if "ids" in metadata else {}
    return {**arrays, **ids, **({"provenance": metadata["provenance"]} if "provenance" in metadata else {})}


def _zarr(path):
    import zarr

    group = zarr.open_group(path, mode="r")
    arrays = {name: array[...] for name, array in group.members(max_depth=None) if isinstance(array, zarr.Array)}
    return {**arrays, "provenance": group.attrs["provenance"]}


def _mat(path):
    import scipy.io

    read = {name: array for name, array in scipy.io.loadmat(path).items() if not name.startswith("__")}
    for name in ("lengths", "offsets", "ids"):
        if name in read:
            assert read[name].shape[1:] == (1,)
            read[name] = read[name][:, 0]
    if "ids" in read and read["ids"].dtype == object:
        read["ids"] = ["".join(one) for one in read["ids"]]
    return {name: array[0] if name == "provenance" else array for name, array in read.items()}


# Read a file as a dict of arrays by name.
ARRAYS = {".npz": _npz, ".pt": _torch, ".safetensors": _safetensors, ".zarr": _zarr, ".mat": _mat}


def _csv(path):
    import pandas

    frame = pandas.read_csv(path, dtype=str, keep_default_na=False)
    # Python's own float() is exact; how pandas reads digits depends on its version.
    kinds = {name: int if name in ("sequence", "step", "lengths") else float for name in frame.columns[1:]}
    return frame.assign(**{name: frame[name].map(kind) for name, kind in kinds.items()})


def _parquet(path):
    import pandas

    return pandas.read_parquet(path)


def _feather(path):
    import pandas

    return pandas.read_feather(path)


# Read a file as a data frame.
TABLES = {".csv": _csv, ".parquet": _parquet, ".feather": _feather}
