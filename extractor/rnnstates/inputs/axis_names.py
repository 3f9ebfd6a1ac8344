"""Axis names in files and in-memory arrays, and the axis order that they imply."""

import contextlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import BadInput
from ..untrusted.given import parts
from ..untrusted.hdf5 import reading
from ..untrusted.hdf5_heaps import heaps_checked
from ..untrusted.meanings import attributes_of

__all__ = ["CONFLICT", "names_in", "names_of", "order_from_names"]

# From the name of an axis to its letter. Two letters: the first one, unless another axis has it.
NAMES = {
    **dict.fromkeys(("n", "sample", "batch", "batches", "instance"), "N"),
    **dict.fromkeys(("t", "time", "step", "timestep", "time_step", "frame"), "T"),
    **dict.fromkeys(("seq_len", "seqlen", "seq_length", "sequence_len", "sequence_length", "series_length"), "T"),
    **dict.fromkeys(("i", "feature", "channel", "variable", "input", "band", "unit", "hidden", "embedding"), "I"),
    **dict.fromkeys(("sequence", "seq", "series"), "NT"),
}
# Affixes: n_samples, num_steps, batch_size, time_index.
AROUND = re.compile(r"^(?:(?:number_of|num|nb|n)_?)?(.+?)(?:_(?:size|dim|axis|index|idx|id|count|len|length))?$")
# The order of names that contradict each other.
CONFLICT = "?"

LABELS, SCALES = "DIMENSION_LABELS", "DIMENSION_LIST"
# Attributes that list the names: NeXus and our own outputs; zarr and xarray.
LISTED = ("axes", "_ARRAY_DIMENSIONS")
MOST_NAMES = 32


def order_from_names(named: list[str], usual: str) -> str:
    """Return the order of axes that their names imply.

    Parameters
    ----------
    named : list of str
        One per stored axis.
    usual : str
        The letters of these axes in their usual order.

    Returns
    -------
    str
        Axes without a known name are in their usual order; "" if no name is known, ``CONFLICT`` if two axes have the
        same meaning.

    Examples
    --------
    >>> order_from_names(["n_steps", "batch", "x"], "NTI"), order_from_names(["batch", "sequence", "feature"], "NTI")
    ('TNI', 'NTI')
    """
    if len(named) != len(usual):
        return ""
    known = [[letter for letter in _letters(name) if letter in usual] for name in named]
    certain = [letters[0] for letters in known if len(letters) == 1]
    implied = [next((one for one in letters if len(letters) == 1 or one not in certain), "") for letters in known]
    if not any(implied) or any(letters == [] and _letters(name) for letters, name in zip(known, named, strict=True)):
        return ""
    if len(set(filter(None, implied))) < len(list(filter(None, implied))):
        return CONFLICT
    unnamed = iter(letter for letter in usual if letter not in implied)
    return "".join(letter or next(unnamed) for letter in implied)


def _letters(name: str) -> str:
    name = re.sub(r"[\s-]+", "_", name.strip().lower())
    inner = AROUND.sub(r"\1", name)
    tried = (name, name.removesuffix("s"), inner, inner.removesuffix("s"))
    return next((NAMES[one] for one in tried if one in NAMES), "")


def names_in(dataset: h5py.Dataset, where: str) -> list[str]:
    """List the axis names of a dataset in a file of unknown origin; empty if it has none.

    Raises
    ------
    BadInput
        The names are damaged.
    """
    group = dataset.parent
    if not any(name in dataset.attrs for name in (LABELS, SCALES, *LISTED)) and "axes" not in group.attrs:
        return []
    # Variable-length strings and references are stored in heaps.
    with reading(f"{where}: the names of its axes", BadInput), heaps_checked(Path(dataset.file.filename)) as file:
        return _names(file[dataset.name])


def names_of(values: object) -> Iterator[list[str]]:
    """Yield the axis names of in-memory arrays, with empty names for lists around them; each combination once."""
    seen = set()
    for depth, part in parts(values):
        named = _names(part) if isinstance(part, h5py.Dataset) else _names_in_memory(part)
        whole = ("",) * depth + tuple(named)
        if named and whole not in seen:
            seen.add(whole)
            yield list(whole)


def _names(dataset: h5py.Dataset) -> list[str]:
    """List axis names from labels, else from dimension scales, else from attributes that list them."""
    labels, scales = _texts(dataset, LABELS), _scales(dataset)
    named = [label or scale for label, scale in zip(labels or scales, scales or labels, strict=False)]
    if any(named):
        return named
    listed = [_words(_texts(dataset, name), dataset.ndim) for name in LISTED]
    if _texts(dataset.parent, "signal") == [dataset.name.rpartition("/")[2]]:
        listed.append(_words(_texts(dataset.parent, "axes"), dataset.ndim))
    return next((words for words in listed if words), [])


def _texts(node: h5py.HLObject, name: str) -> list[str]:
    """Read an attribute of strings; reading any other may crash HDF5 if its type is damaged."""
    if name not in node.attrs:
        return []
    kept = node.attrs.get_id(name)
    if kept.get_type().get_class() != h5py.h5t.STRING or math.prod(kept.shape or ()) > MOST_NAMES:
        return []
    return _as_texts(node.attrs[name])


def _as_texts(value: object) -> list[str]:
    listed = np.atleast_1d(np.asarray(value)).reshape(-1)[: MOST_NAMES + 1].tolist()
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in listed]


def _scales(dataset: h5py.Dataset) -> list[str]:
    """List the names of the dimension scales; HDF5's own function kills the process if its heap is damaged."""
    if SCALES not in dataset.attrs:
        return []
    kept = dataset.attrs.get_id(SCALES).get_type()
    if not kept.equal(h5py.h5t.vlen_create(h5py.h5t.STD_REF_OBJ)):
        return []
    # For anything but a sequence (0) or a string (1) HDF5 calls functions that do not exist.
    if kept.encode()[3] & 15:
        return []
    named = []
    for references in dataset.attrs[SCALES][:MOST_NAMES]:
        named.append("")
        # Its target may have been left behind when the dataset was copied.
        with contextlib.suppress(Exception):
            named[-1] = dataset.file[references[0]].name.rpartition("/")[2]
    return named


def _words(texts: list[str], rank: int) -> list[str]:
    """Split a string that lists all names: "sequence time unit", "[time,batch]", "time:batch", "TNI"."""
    if len(texts) == 1:
        texts = [word for word in re.split(r"[\s,:;\[\]()]+", texts[0]) if word]
    if len(texts) == 1 and len(texts[0]) == rank:
        texts = list(texts[0])
    return texts if len(texts) == rank else []


def _names_in_memory(values: Any) -> list[str]:
    """List the axis names of an array of xarray, h5netcdf or zarr."""
    rank = np.ndim(values) if hasattr(values, "shape") else 0
    for name in ("dims", "dimensions"):
        named = getattr(values, name, None)
        if isinstance(named, tuple) and rank and len(named) == rank and any(isinstance(one, str) for one in named):
            return [one if isinstance(one, str) else "" for one in named]
    attributes = attributes_of(values)
    listed = (_words(_as_texts(attributes[name]), rank) for name in LISTED if name in attributes)
    return next((words for words in listed if words), [])
