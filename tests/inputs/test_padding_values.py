"""Lengths from the value of the padding: counted from one end, in one pass and bounded memory."""

import io

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.errors import BadLengths, OptionError
from rnnstates.inputs import open_source, padding_value, read_lengths
from rnnstates.inputs.form import PADDED, Form
from rnnstates.inputs.packed import PackedSource

from ..builders import embedded

N, T, I = 6, 9, 2
LENGTHS = np.array([4, 0, 9, 1, 8, 5])


def padded(value, side="post", dtype="f4", ids=False):
    """Make sequences padded with a value that some of their own steps and features have too."""
    random = np.random.RandomState(3)
    shape = (N, T) if ids else (N, T, I)
    inputs = random.randint(1, 90, shape).astype(dtype)
    for row, length in enumerate(LENGTHS):
        if length > 2:
            inputs[row, 1] = value
        inputs[row, length:] = value
        if not ids and length:
            inputs[row, length - 1, 0] = value
    return inputs if side == "post" else inputs[:, ::-1].copy()


def opened(inputs, way, tmp_path, form=PADDED):
    if way == "memory":
        return open_source(inputs, form=form)
    if way == "npy":
        np.save(tmp_path / "in.npy", inputs)
        return open_source(tmp_path / "in.npy", form=form)
    with h5py.File(tmp_path / "in.h5", "w") as file:
        chunks = {"fixed": None, "chunked": (2, 4, *inputs.shape[2:])}[way]
        file.create_dataset("inputs", data=inputs, chunks=chunks, compression=chunks and "gzip")
    return open_source(tmp_path / "in.h5", form=form)


@pytest.mark.parametrize("way", ["memory", "npy", "fixed", "chunked"])
@pytest.mark.parametrize("word, side", [("trailing", "post"), ("leading", "pre")])
@pytest.mark.parametrize(
    "text, dtype",
    [("0", "f4"), ("-1", ">f8"), ("nan", "f2"), ("0.1", "f2"), ("0.1", "f4"), ("-1e9", "f4"), ("inf", "f8")]
    + [("255", "u1"), ("-3", "i8"), ("0", "?"), ("1.0", ">i2")],
)
def test_steps_with_the_value_at_that_end_are_padding(tmp_path, monkeypatch, way, word, side, text, dtype):
    monkeypatch.setattr(padding_value, "PIECE", 100)
    inputs = padded(np.array(float(text)).astype(dtype), side, dtype)
    source = opened(inputs, way, tmp_path)
    found = read_lengths(f"{word}:{text}", source)
    np.testing.assert_array_equal(found.lengths, LENGTHS)
    assert (found.lengths.dtype, found.padding, found.found) == (np.int64, side, f"{word}:{text}")
    assert found.notes == (f'lengths="{word}:{text}": takes 27 of 54 steps in 5 of 6 sequences for padding.',)
    source.close()


@pytest.mark.parametrize("value", [0, 7, 2**62 + 1])
def test_token_ids_may_be_padding(value):
    source = open_source(padded(value, dtype="i8", ids=True), form=Form(tokens=True))
    np.testing.assert_array_equal(read_lengths(f"trailing:{value}", source).lengths, LENGTHS)


@pytest.mark.parametrize("axes", ["TNI", "ITN"])
def test_axes_may_be_stored_in_any_order(tmp_path, axes):
    stored = np.ascontiguousarray(padded(0, "pre").transpose(["NTI".index(letter) for letter in axes]))
    source = opened(stored, "chunked", tmp_path, Form(axes=axes))
    np.testing.assert_array_equal(read_lengths("leading:0", source).lengths, LENGTHS)
    source.close()


@pytest.mark.parametrize(
    "text, dtype", [("256", "u1"), ("-1", "u1"), ("0.5", "i4"), ("1e300", "f4"), ("nan", "i2"), ("nan", "f4")]
)
def test_a_value_that_no_step_has_leaves_all_steps(text, dtype):
    inputs = padded(0, dtype=dtype)
    inputs[0, -1] = np.inf if dtype == "f4" else 0
    found = read_lengths(f"trailing:{text}", open_source(inputs))
    np.testing.assert_array_equal(found.lengths, [T] * N)
    assert found.notes == (
        f'lengths="trailing:{text}": no sequence ends with a step of this value, so every step counts.',
    )


def test_a_step_counts_if_one_of_its_features_differs():
    inputs = np.zeros((1, 4, 2), "f4")
    inputs[0, 1, 1] = np.nan
    for word, expected in (("trailing:0", 2), ("leading:0", 3), ("trailing:nan", 4)):
        assert read_lengths(word, open_source(inputs)).lengths == [expected]


def test_no_more_is_in_memory_than_a_piece(monkeypatch):
    monkeypatch.setattr(padding_value, "PIECE", 64)
    monkeypatch.setattr(padding_value, "MOST_STEPS", 2 * T)
    source = open_source(padded(0))
    sizes = []
    read = source.read
    source.read = lambda rows, steps: sizes.append(read(rows, steps).nbytes) or read(rows, steps)
    np.testing.assert_array_equal(read_lengths("trailing:0", source).lengths, LENGTHS)
    assert max(sizes) <= 64
    assert sum(sizes) == N * T * I * 4


def test_no_sequences_have_no_padding():
    found = read_lengths("trailing:0", open_source(np.zeros((0, T, I))))
    assert found.lengths.shape == (0,)


def test_a_stream_is_refused():
    stream = io.BytesIO()
    np.save(stream, padded(0))
    stream.seek(0)
    expected = r'standard input: lengths="trailing:0" needs all inputs before .* expected a file\. Save it to one'
    with pytest.raises(BadLengths, match=expected):
        read_lengths("trailing:0", open_source(stream))


def test_sequences_without_padding_have_no_value_of_it():
    packed = PackedSource(open_source(padded(0)[0], form=Form(axes="TI")), np.array([0, 4, 9]))
    with pytest.raises(
        BadLengths, match='lengths="trailing:0", but inputs is stored without padding, so every step of'
    ):
        read_lengths("trailing:0", packed)


@pytest.mark.parametrize("text", ["", "zero", "1_0", "0x0", "0,1", "in.npy", "True"])
def test_what_is_no_number_is_refused(text):
    expected = rf"lengths='leading:{text}': '{text}' is no number; expected the value of the padding, such as .*:nan"
    with pytest.raises(OptionError, match=expected):
        read_lengths(f"leading:{text}", open_source(padded(0)))


def test_a_value_against_the_stated_side_is_refused():
    source = open_source(padded(0))
    assert read_lengths("leading:3", source, padding="pre").padding == "pre"
    expected = r'lengths="trailing:0": is padding after .* but padding="pre" says .* or give lengths="leading:0"\.'
    with pytest.raises(OptionError, match=expected):
        read_lengths("trailing:0", source, padding="pre")


@pytest.mark.parametrize("word, side", [("trailing", "post"), ("leading", "pre")])
@pytest.mark.parametrize("text, dtype", [("nan", "f4"), ("0", "f2"), ("0", "i4")])
@pytest.mark.parametrize("way", ["memory", "npy", "chunked"])
def test_states_are_those_of_the_lengths(tmp_path, word, side, text, dtype, way):
    inputs = padded(0, side, dtype)
    if text == "nan":
        steps = np.arange(T) if side == "post" else np.arange(T)[::-1]
        inputs[steps >= LENGTHS[:, np.newaxis]] = np.nan
    opened(inputs, way, tmp_path).close()
    given = {"memory": inputs, "npy": tmp_path / "in.npy", "chunked": tmp_path / "in.h5"}[way]
    found = rnnstates.extract(given, f"{word}:{text}", units=3)
    expected = rnnstates.extract(inputs, LENGTHS, units=3, padding=side)
    np.testing.assert_array_equal(found.lengths, LENGTHS)
    assert found.provenance["lengths"] == f"{word}:{text}"
    assert (
        f'lengths="{word}:{text}": takes 27 of 54 steps in 5 of 6 sequences for padding.' in found.provenance["notes"]
    )
    for name in ("hidden", "cell", "hidden_mean", "cell_last"):
        np.testing.assert_array_equal(found[name], expected[name])


def test_states_of_token_ids_are_those_of_the_lengths():
    network = embedded(vocabulary=90, features=3, units=4)
    ids = padded(0, dtype="i4", ids=True)
    found = rnnstates.extract(ids, "trailing:0", weights=network)
    np.testing.assert_array_equal(found["cell"], rnnstates.extract(ids, LENGTHS, weights=network)["cell"])


def test_one_sequence_may_be_padded():
    values = padded(0)[0]
    found = rnnstates.extract(values, "trailing:0", units=2, axes="TI")
    np.testing.assert_array_equal(found["cell"], rnnstates.extract(values[np.newaxis], [4], units=2)["cell"])


def test_offsets_beside_one_array_say_that_nothing_is_padding(tmp_path):
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["inputs"], file["offsets"] = padded(0)[0], [0, 4, 9]
    with pytest.raises(BadLengths, match=r"trailing:0\", but .*in\.h5: dataset 'inputs' is stored without padding, so"):
        rnnstates.extract(tmp_path / "in.h5", "trailing:0", units=2)


def test_the_same_lengths_found_otherwise_are_the_same_job(tmp_path):
    np.save(tmp_path / "in.npy", padded(0))
    made = rnnstates.extract(tmp_path / "in.npy", "trailing:0", output=tmp_path / "out.h5", units=2)
    made.close()
    again = rnnstates.extract(tmp_path / "in.npy", LENGTHS, output=tmp_path / "out.h5", units=2, if_exists="skip")
    assert again.skipped
    again.close()
    assert rnnstates.verify(tmp_path / "out.h5", inputs=tmp_path / "in.npy")["checksums"] == "right"
