"""Inputs in each form, read and held against what h5py, NumPy or plain Python find in the same files.

A form that is read must be read right: lengths, values, chosen rows and copied datasets are compared, not only opened.
"""

import contextlib
import functools
import io
import math

import h5py
import numpy as np

from rnnstates.errors import BadInput
from rnnstates.inputs.choosing import choose_rows
from rnnstates.inputs.form import Form
from rnnstates.inputs.ids import open_ids
from rnnstates.inputs.lengths import read_lengths
from rnnstates.inputs.memory import MemorySource
from rnnstates.inputs.opening import open_source
from rnnstates.inputs.opening_carried import open_carried
from rnnstates.inputs.packed import cut, is_packed
from rnnstates.output.carried import blocks_of
from rnnstates.output.format import Shape
from rnnstates.untrusted.hdf5 import SIGNATURE
from rnnstates.untrusted.npy import MAGIC

from .commands import choice
from .outcomes import documented
from .places import unpacked, written

__all__ = ["FOUR", "LARGEST_WINDOW", "carried", "masks", "one_by_one", "packed", "padding_values", "rows", "some_of"]

# The most that is read of an input: rows and steps.
WINDOW, LARGEST_WINDOW = 4, 2**26
# The most values that are compared one by one.
COMPARED = 2**16
FOUR = MemorySource(np.arange(40, dtype="f4").reshape(4, 5, 2))
IDS = ["a", "bc", "dé", "9"]
READ_AS = (Form(tokens=True), Form(features=2), Form(univariate=True))
PADDING = ("trailing:0", "leading:0", "trailing:nan", "leading:1")


def some_of(source):
    """Read the first rows and steps, where they fit the memory: a run plans that before it reads."""
    if WINDOW**2 * math.prod(source.shape[2:]) * source.dtype.itemsize > LARGEST_WINDOW:
        return None
    return source.read(slice(0, min(WINDOW, source.shape[0])), slice(0, min(WINDOW, source.shape[1])))


def whole(source):
    """Read everything, where it is little; else nothing."""
    if math.prod(source.shape) > COMPARED or source.shape[0] > COMPARED:
        return None
    return source.read(slice(0, source.shape[0]), slice(0, source.shape[1]))


def same(found, expected):
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected).reshape(np.shape(found)))


def is_plain(dataset):
    """Tell values that mean what they are from packed ones, which attributes change."""
    return not isinstance(dataset, h5py.Dataset) or not len(dataset.attrs)


def one_by_one(content):
    """Read a group of datasets, or arrays of varying length."""
    path = written(content, "x")
    form = READ_AS[choice(content, len(READ_AS))]
    with documented(), contextlib.closing(open_source(path, form=form)) as source:
        open_ids(None, source)
        read_lengths(None, source)
        block = some_of(source)
        if block is None or source.lengths is None:
            return
        with h5py.File(path) as file, contextlib.suppress(OSError):
            for row, values in enumerate(block):
                stored = file["inputs"][source.own_ids[row]] if source.own_ids else file["inputs"]
                if is_plain(stored):
                    _same_steps(values, stored[()] if source.own_ids else stored[row], source.lengths[row])


def _same_steps(values, stored, length):
    assert len(stored) == length
    same(values[:length], stored[: len(values)])
    assert not values[length:].any()


def packed(content):
    """Read sequences that follow one another, at lengths or offsets in the file or beside it."""
    folder = unpacked(content, "folder")
    lengths = folder / "lengths" if (folder / "lengths").is_file() else None
    form = Form(features=2, follows=functools.partial(is_packed, lengths))
    with documented(), contextlib.closing(open_source(folder / "in", form=form)) as source:
        together = cut(source, lengths)
        if together is source or together.lengths is None:
            return
        steps, block = whole(source), whole(together)
        assert together.lengths.sum() == source.shape[1]
        if steps is not None and block is not None:
            starts = np.cumsum(together.lengths) - together.lengths
            for row, start, length in zip(block, starts, together.lengths, strict=True):
                _same_steps(row, steps[0, start : start + length], length)
        given = None if lengths is None else _numbers(lengths.read_bytes())
        if given is not None:
            assert np.array_equal(given, together.lengths) or np.array_equal(np.diff(given), together.lengths)


def _numbers(content):
    if content.startswith(MAGIC):
        values = _loaded(content)
        return None if values is None else values.reshape(-1)
    lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
    return np.array([float(line) for line in lines if line.strip()])


def _loaded(content):
    """Give what NumPy reads; nothing if it is stricter about blanks in a header than the format."""
    try:
        return np.load(io.BytesIO(content))
    except ValueError:
        return None


def rows(content):
    """Choose sequences by place, mask or id: in a file, or in a dataset beside the input."""
    path = written(content, "x")
    with documented():
        if content.startswith(SIGNATURE):
            with contextlib.closing(open_source(path)) as source:
                _chosen(source, "rows", source.container.find("rows", BadInput))
            return
        stored = None
        places = choose_rows(path, FOUR, open_ids(IDS, FOUR))
        if content.startswith(MAGIC):
            stored = _loaded(content)
        else:
            lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
            stored = [line.decode("utf-8", "replace") for line in lines]
            while stored and not stored[-1].strip() and len(stored) > len(places):
                stored.pop()
        if stored is not None:
            _same_rows(places, stored, 4)


def _chosen(source, name, dataset):
    places = choose_rows(name, source, open_ids(IDS[: source.shape[0]], source))
    if is_plain(dataset):
        _same_rows(places, dataset.asstr()[()] if h5py.check_string_dtype(dataset.dtype) else dataset[()], 4)


def _same_rows(places, stored, count):
    if getattr(getattr(stored, "dtype", None), "kind", None) == "b":
        same(places, np.flatnonzero(stored))
        return
    for place, one in zip(places.tolist(), np.asarray(stored).tolist(), strict=True):
        text = one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one)
        assert text == IDS[place] or int(text) % count == place


def masks(content):
    """Find the steps that count by a mask: in a file, or in a dataset beside the input."""
    path = written(content, "x")
    with documented():
        if content.startswith(SIGNATURE):
            with contextlib.closing(open_source(path)) as source:
                valid = read_lengths("mask", source)
                dataset = source.container.find("mask", BadInput)
                _same_mask(valid, dataset[()] if is_plain(dataset) else None, source.shape[1])
            return
        valid = read_lengths(path, FOUR)
        _same_mask(valid, _loaded(content) if content.startswith(MAGIC) else None, 5)


def _same_mask(valid, stored, steps):
    if valid.found != "mask" or stored is None:
        return
    number = np.arange(steps)
    before = steps - valid.lengths[:, np.newaxis]
    same(stored == 1, number < valid.lengths[:, np.newaxis] if valid.padding == "post" else number >= before)


def padding_values(content):
    """Find the steps that count by the value of those that do not."""
    word = PADDING[choice(content, len(PADDING))]
    with documented(), contextlib.closing(open_source(written(content, "x"), form=Form(tokens=True))) as source:
        if (values := whole(source)) is None:
            return
        valid = read_lengths(word, source)
        side, _, number = word.partition(":")
        padding = np.isnan(values) if number == "nan" else values == int(number)
        padding = padding.reshape(*values.shape[:2], -1).all(axis=2)
        padding = padding if side == "trailing" else padding[:, ::-1]
        for row, length in zip(padding, valid.lengths.tolist(), strict=True):
            assert row[length:].all()
            assert not length or not row[length - 1]


def carried(content):
    """Copy every dataset beside the input, as a run does."""
    path = written(content, "x")
    with documented(), contextlib.closing(open_source(path, form=Form(tokens=True))) as source:
        names = [name for name in source.container.present(BadInput) if name not in ("inputs", "lengths", "ids")]
        lengths = read_lengths(None, source)
        for copied in open_carried(names, source, lengths):
            if source.shape[0] * math.prod(copied.tail) * copied.dtype.itemsize * source.shape[1] > COMPARED:
                continue
            stored = source.container.find(copied.name, BadInput)
            found = copied.read(np.arange(source.shape[0]))
            if isinstance(stored, h5py.Dataset) and (kind := h5py.check_vlen_dtype(stored.dtype)) and kind is not str:
                for row, values in zip(found, stored[()], strict=True):
                    same(row[: len(values)], values)
            elif copied.dtype.kind == "S":
                same(found, _bytes(stored))
            elif is_plain(stored) and source.lengths is None:
                same(found, stored[()])
            some = np.minimum(np.arange(source.shape[0]), source.shape[1])
            for _, block in blocks_of(copied, Shape(some, source.shape[1], "packed")):
                block.astype(copied.dtype)


def _bytes(stored):
    values = np.asarray(stored[()])
    items = [one if isinstance(one, bytes) else one.encode() for one in values.reshape(-1).tolist()]
    return np.array(items, np.bytes_).reshape(values.shape)
