"""Labels, tokens and text of the input stand beside the states in the output."""

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadInput
from rnnstates.inputs import carried_entries as carrying

LENGTHS = np.array([4, 0, 7, 1, 7, 2])
INPUTS = np.random.RandomState(0).standard_normal((6, 7, 3)).astype("f4")
LABELS = np.array([3, 1, 4, 1, 5, 9], np.int16)
TARGETS = np.random.RandomState(1).standard_normal((6, 7))
BOXES = np.random.RandomState(2).randint(0, 99, (6, 7, 2))
VECTORS = np.random.RandomState(3).standard_normal((6, 5))
WORDS = np.array([[f"w{row}ä{step}" * (step % 3) for step in range(7)] for row in range(6)])
NAMES = ["a", "ä" * 9, "", "x/y", "z", "q"]
MORE = {"labels": LABELS, "targets": TARGETS, "boxes": BOXES, "vectors": VECTORS}
CARRY = "labels,targets,boxes,vectors,words,names"


def write(path, rows=slice(None)):
    with h5py.File(path, "w") as file:
        file["inputs"], file["lengths"] = INPUTS[rows], LENGTHS[rows]
        for name, values in MORE.items():
            file[name] = values[rows]
        file.create_dataset("words", data=WORDS[rows].astype(object), dtype=h5py.string_dtype())
        file["names"] = np.array(NAMES[rows], object)
    return path


def text(values):
    return np.char.decode(np.asarray(values), "utf-8")


def check(states, rows=range(6), lengths=LENGTHS):
    """Every sequence has its own labels, in the order of its steps."""
    for one, row in zip(states, rows, strict=True):
        assert one.per_sequence.labels == LABELS[row]
        np.testing.assert_array_equal(one.per_sequence.vectors, VECTORS[row])
        assert text(one.per_sequence.names) == NAMES[row]
        length = lengths[row]
        np.testing.assert_array_equal(one.per_step.targets, TARGETS[row, :length])
        np.testing.assert_array_equal(one.per_step.boxes, BOXES[row, :length])
        np.testing.assert_array_equal(text(one.per_step.words), WORDS[row, :length])


@pytest.mark.parametrize("layout", ["padded", "packed"])
@pytest.mark.parametrize("where", ["file", "memory"])
def test_datasets_of_a_file_are_copied(tmp_path, monkeypatch, layout, where):
    monkeypatch.setattr(carrying, "ENTRIES_AT_ONCE", 2)
    output = tmp_path / "o.h5" if where == "file" else None
    with rnnstates.extract(write(tmp_path / "x.h5"), units=2, layout=layout, carry=CARRY, output=output) as states:
        check(states)
        check(states[[5, 2]], [5, 2])
        assert states["per_step/targets"].shape == ((6, 7) if layout == "padded" else (21,))
        if layout == "padded":
            assert not states["per_step/boxes"][0, 4:].any()
    if where == "file":
        assert rnnstates.verify(output)["recomputed"]
        with h5py.File(output) as file:
            assert [dim[0].name for dim in file["per_step/targets"].dims][:1] == (
                ["/sequence"] if layout == "padded" else ["/step"]
            )


def test_arrays_are_copied(tmp_path):
    carry = {**MORE, "words": WORDS, "names": NAMES}
    check(rnnstates.extract(INPUTS, LENGTHS, units=2, carry=carry))
    flags = LABELS > 3
    found = rnnstates.extract(INPUTS, LENGTHS, units=2, carry={"flags": flags})["per_sequence/flags"]
    assert found.dtype == np.int8
    assert found.tolist() == flags.tolist()


def test_entries_of_packed_steps_are_copied(tmp_path):
    rows = [row[:length] for row, length in zip(INPUTS, LENGTHS, strict=True)]
    words = [row[:length] for row, length in zip(WORDS, LENGTHS, strict=True)]
    rnnstates.write_inputs(tmp_path / "in.h5", rows, words=words, labels=LABELS)
    for layout in ("padded", "packed"):
        states = rnnstates.extract(tmp_path / "in.h5", units=2, carry=["words", "labels"], layout=layout)
        for row, one in enumerate(states):
            np.testing.assert_array_equal(text(one.per_step.words), words[row])
            assert one.per_sequence.labels == LABELS[row]


@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_padding_in_front_and_chosen_steps(tmp_path, layout):
    states = rnnstates.extract(INPUTS, LENGTHS, units=2, padding="pre", carry={"t": TARGETS}, layout=layout)
    for row, one in enumerate(states):
        np.testing.assert_array_equal(one.per_step.t, TARGETS[row, 7 - LENGTHS[row] :])
    states = rnnstates.extract(INPUTS, LENGTHS, units=2, steps="1:5", carry={"t": TARGETS}, layout=layout)
    for row, one in enumerate(states):
        np.testing.assert_array_equal(one.per_step.t, TARGETS[row, 1 : min(5, LENGTHS[row])])
    states = rnnstates.extract(INPUTS, LENGTHS, units=2, every=3, carry={"t": TARGETS}, layout=layout)
    for row, one in enumerate(states):
        np.testing.assert_array_equal(one.per_step.t, TARGETS[row, : LENGTHS[row] : 3])


def test_rows_and_several_files_keep_their_entries(tmp_path):
    check(rnnstates.extract(write(tmp_path / "x.h5"), units=2, rows=[4, 0], carry=CARRY), [4, 0])
    paths = [write(tmp_path / "a.h5", slice(0, 2)), write(tmp_path / "b.h5", slice(2, 6))]
    states = rnnstates.extract(paths, units=2, carry=CARRY)
    check(states)
    check(rnnstates.extract(paths, units=2, carry=CARRY, rows="1:4"), range(1, 4))


def test_other_labels_are_another_job(tmp_path):
    output = tmp_path / "o.h5"
    rnnstates.extract(INPUTS, LENGTHS, units=2, carry={"t": TARGETS}, output=output).close()
    assert rnnstates.extract(INPUTS, LENGTHS, units=2, carry={"t": TARGETS}, output=output, if_exists="skip").skipped
    for other in ({"t": TARGETS + 1}, {"u": TARGETS}, None):
        with pytest.raises(rnnstates.DoesNotMatch):
            rnnstates.extract(INPUTS, LENGTHS, units=2, carry=other, output=output, if_exists="skip")


def test_a_changed_label_is_found(tmp_path):
    output = tmp_path / "o.h5"
    rnnstates.extract(INPUTS, LENGTHS, units=2, carry={"t": TARGETS}, output=output).close()
    with h5py.File(output, "a") as file:
        file["per_step/t"][2, 3] = 7
    with pytest.raises(rnnstates.BadStates):
        rnnstates.verify(output)


@pytest.mark.parametrize(
    "carry, message",
    [
        ("label", r"carry='label': no such dataset in .*x\.h5; present: .* Did you mean 'labels'\?"),
        (
            "other",
            r"dataset 'other': shape \(4,\); expected \(6, …\), one entry per sequence, or \(6, 7, …\), per",
        ),
        ("complex", r"dataset 'complex': dtype complex128; expected numbers or text"),
        (".", r"carry='\.': no such dataset in .*x\.h5; present: "),
        ("labels/..", r"carry='labels/\.\.': no such dataset in .*x\.h5; present: "),
        (5, r"carry=: expected names of datasets"),
    ],
)
def test_what_cannot_be_copied_is_refused(tmp_path, carry, message):
    with h5py.File(write(tmp_path / "x.h5"), "a") as file:
        file["other"], file["complex"] = np.ones(4), np.ones(6) * 1j
    with pytest.raises((BadInput, rnnstates.OptionError), match=message):
        rnnstates.extract(tmp_path / "x.h5", units=2, carry=carry)


def test_names_need_a_file():
    with pytest.raises(BadInput, match=r"carry='labels': inputs has no datasets; give arrays by name"):
        rnnstates.extract(INPUTS, LENGTHS, units=2, carry="labels")


@pytest.mark.parametrize("layout, other", [("padded", "packed"), ("packed", "padded")])
@pytest.mark.parametrize("options", [{}, {"every": 2}])
def test_a_repacked_file_keeps_the_entries_of_each_step(tmp_path, layout, other, options):
    made, turned = tmp_path / "o.h5", tmp_path / "p.h5"
    rnnstates.extract(write(tmp_path / "x.h5"), units=2, layout=layout, carry=CARRY, output=made, **options).close()
    rnnstates.repack(made, turned, layout=other, compression="gzip")
    assert rnnstates.verify(turned)["recomputed"]
    with rnnstates.open(made) as before, rnnstates.open(turned) as after:
        assert set(before.datasets) ^ set(after.datasets) == {"offsets"}
        for one, two in zip(before, after, strict=True):
            for name in before.datasets:
                if name.startswith("per_"):
                    np.testing.assert_array_equal(one[name], two[name])


def test_exports_leave_the_copied_datasets_readable(tmp_path):
    rnnstates.extract(
        write(tmp_path / "x.h5"), units=2, layout="packed", carry="labels,targets", output=tmp_path / "o.h5"
    ).close()
    rnnstates.export(
        tmp_path / "o.h5", tmp_path / "o.npz", datasets=["hidden", "per_step/targets", "per_sequence/labels"]
    )
    found = np.load(tmp_path / "o.npz")
    names = {name.rpartition("/")[2].rpartition(".")[2]: name for name in found.files}
    expected = np.concatenate([row[:length] for row, length in zip(TARGETS, LENGTHS, strict=True)])
    np.testing.assert_array_equal(found[names["targets"]], expected)
    np.testing.assert_array_equal(found[names["labels"]], LABELS)


@pytest.mark.parametrize(
    "carry, message",
    [
        ({"a/x": LABELS, "b/x": LABELS}, r"carry=: 'x' would be two datasets of the output; expected different names"),
        ({"x": VECTORS, "x_axis0": LABELS}, r"carry=: 'x_axis0' would be two datasets of the output"),
        ({"a/..": LABELS}, r"carry\['a/\.\.'\]: the output can have no dataset '\.\.'; expected a printable name"),
        ({"": LABELS}, r"the output can have no dataset ''"),
        ({"x": np.array(["\ud800"] * 6, object)}, r"carry\['x'\]: row 0 .* UTF-8"),
        ({"x": np.array(["a\0"] * 6, object)}, r"carry\['x'\]: a text ends with a null character"),
        (
            {"x": np.broadcast_to(np.float64(1), (6, 2**28))},
            r"\d+ bytes for each sequence; expected at most 1073741824",
        ),
    ],
)
def test_what_the_output_cannot_hold_is_refused(carry, message):
    with pytest.raises(BadInput, match=message):
        rnnstates.extract(INPUTS, LENGTHS, units=2, carry=carry)


def test_the_numbers_of_chosen_rows_keep_their_name():
    with pytest.raises(BadInput, match=r"carry=: 'input_row' would be two datasets of the output"):
        rnnstates.extract(INPUTS, LENGTHS, units=2, carry={"input_row": LABELS}, rows=":3")


def test_entries_that_may_be_of_sequences_or_steps_are_what_their_name_says(tmp_path, caplog):
    caplog.set_level("INFO", logger="rnnstates")
    vectors = np.arange(42.0).reshape(6, 7)
    states = rnnstates.extract(INPUTS, LENGTHS, units=2, carry={"per_sequence/v": vectors, "per_step/t": vectors})
    assert not [note for note in caplog.messages if "taken as" in note]
    np.testing.assert_array_equal(states["per_sequence/v"], vectors)
    np.testing.assert_array_equal(states[2].per_step.t, vectors[2])
    rnnstates.extract(INPUTS, LENGTHS, units=2, carry={"v": vectors})
    assert "carry['v']: shape (6, 7) is taken as one entry per step; carry='per_sequence/NAME' copies" in caplog.text
    with h5py.File(write(tmp_path / "x.h5"), "a") as file:
        file["v"] = vectors
    states = rnnstates.extract(tmp_path / "x.h5", units=2, carry="per_sequence/v")
    np.testing.assert_array_equal(states["per_sequence/v"], vectors)


def test_as_many_sequences_as_steps_leave_open_what_entries_are_of(tmp_path):
    rows, target = [np.ones((3, 2), "f4"), np.ones((0, 2), "f4"), np.ones((0, 2), "f4")], [7, 8, 9]
    rnnstates.write_inputs(tmp_path / "x.h5", rows, target=[target, [], []])
    with pytest.raises(BadInput, match=r"shape \(3,\); there are as many sequences as steps, .*carry='per_step/NAME'"):
        rnnstates.extract(tmp_path / "x.h5", units=2, carry="target")
    states = rnnstates.extract(tmp_path / "x.h5", units=2, carry="per_step/target")
    assert [one.per_step.target.tolist() for one in states] == [target, [], []]
    states = rnnstates.extract(tmp_path / "x.h5", units=2, carry="per_sequence/target")
    assert states["per_sequence/target"].tolist() == target


@pytest.mark.parametrize(
    "name, values", [("per_step/labels", LABELS), ("per_sequence/steps", np.arange(LENGTHS.sum()))]
)
def test_entries_of_something_else_than_the_name_says_are_refused(name, values):
    rows = [row[:length] for row, length in zip(INPUTS, LENGTHS, strict=True)]
    with pytest.raises(BadInput, match=r"has no entry for each (step|sequence); leave 'per_\w+/' out of carry="):
        rnnstates.extract(rows, units=2, carry={name: values})


def test_values_with_a_scale_are_refused(tmp_path):
    with h5py.File(write(tmp_path / "x.h5"), "a") as file:
        file["labels"].attrs["scale_factor"] = 0.5
    with pytest.raises(BadInput, match=r"'labels': its attribute scale_factor changes what the values mean"):
        rnnstates.extract(tmp_path / "x.h5", units=2, carry="labels")
