"""Checkpoints of TensorFlow that are damaged, incomplete or made to attack: refused with a sentence, never worse."""

import os
import subprocess
import sys

import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights
from rnnstates.runtime.tensorflow_start import import_tensorflow
from rnnstates.weights.readers.checkpoint import file as checkpoint

from .crafted_checkpoints import (
    BIAS,
    CRAFTED,
    GRAPH,
    KERNEL,
    PREFIX,
    checkpoint_magic,
    craft,
    entry,
    field,
    varint,
    write,
)
from .damage import refusal


@pytest.mark.parametrize("what", CRAFTED)
def test_a_table_of_contents_that_was_made_to_attack_is_refused(what, tmp_path):
    stored, message = CRAFTED[what]
    with pytest.raises(BadWeights, match=message):
        rnnstates.load_weights(craft(tmp_path, (b"a", stored)))


def test_arrays_that_lie_in_the_same_bytes_are_refused(tmp_path):
    copies = [(f"a{number}".encode(), entry()) for number in range(9)]
    assert "declares 480 bytes of numbers but has 240" in refusal(craft(tmp_path, *copies[:2]))


@pytest.mark.parametrize("shards", [0, -1, 2**30])
def test_a_number_of_files_that_cannot_be_is_refused(shards, tmp_path):
    assert "declares" in refusal(craft(tmp_path, (b"a", entry()), header=field(1, shards)))


def test_a_name_that_is_no_text_is_refused(tmp_path):
    assert "is no text" in refusal(craft(tmp_path, (b"\xff\xfe/kernel", entry())))


@pytest.mark.parametrize(
    "content", [varint(2**40) + b"\0" * 100, b"\xff" * 20, varint(3) + b"\0\0\0\0\xff\xff\xff", b""]
)
def test_an_invalid_object_graph_is_refused(content, tmp_path):
    path = craft(tmp_path, (GRAPH, entry(dtype=7, shape=(), size=len(content))))
    (tmp_path / f"{PREFIX}.data-00000-of-00001").write_bytes(content)
    assert "object graph" in refusal(path) or "TrackableObjectGraph" in refusal(path)


def test_other_strings_are_never_read(tmp_path):
    path = craft(tmp_path, (KERNEL.encode(), entry(dtype=7, shape=(2**30,))), (BIAS.encode(), entry(shape=(60,))))
    assert "refused" in refusal(path) or "expected" in refusal(path)
    whole = write(tmp_path / "whole", {KERNEL: np.array(["a", "b"])})
    assert "shape" in refusal(whole)
    numbers = write(tmp_path / "numbers", {KERNEL: np.ones((8, 20), "i4")})
    assert "has dtype int32; expected float64, float32, float16 or bfloat16" in refusal(numbers)


@pytest.mark.parametrize("version", [1, 2])
def test_bytes_changed_at_random_are_refused_or_change_nothing(version, tmp_path):
    path = write(tmp_path, version=version)
    damaged = path if version == 1 else tmp_path / f"{PREFIX}.index"
    whole, random = damaged.read_bytes(), np.random.default_rng(version)
    refused = 0
    for _ in range(150):
        content = bytearray(whole)
        for place in random.integers(max(0, len(whole) - 400), len(whole), size=random.integers(1, 4)):
            content[place] = random.integers(256)
        damaged.write_bytes(content[: len(content) if random.random() < 0.9 else random.integers(len(content))])
        try:
            np.testing.assert_array_equal(rnnstates.load_weights(path).layers[0].forward.kernel, 1)
        except (BadWeights, rnnstates.MissingInput):
            refused += 1
    assert refused > 50


def test_a_footer_that_points_far_away_is_refused(tmp_path):
    path = write(tmp_path)
    index = tmp_path / f"{PREFIX}.index"
    footer = varint(0) + varint(8) + varint(2**60) + varint(2**60)
    index.write_bytes(index.read_bytes()[:-48] + footer.ljust(40, b"\0") + checkpoint_magic())
    assert "points to byte" in refusal(path)


@pytest.mark.parametrize("target", ["/{}/other/model.ckpt-1", "../other/model.ckpt-1", "model.ckpt-1"])
def test_what_a_folder_says_of_its_latest_checkpoint_is_not_followed(target, tmp_path):
    write(tmp_path / "other", {KERNEL: np.zeros((8, 20), "f4")}, name="model.ckpt-1")
    write(tmp_path / "own")
    elsewhere = target.format(tmp_path) if "{}" in target else target
    (tmp_path / "own" / "checkpoint").write_text(f'model_checkpoint_path: "{elsewhere}"\n')
    np.testing.assert_array_equal(rnnstates.load_weights(tmp_path / "own").layers[0].forward.kernel, 1)
    # Nor where a folder is called like the checkpoint beside it.
    (tmp_path / "own" / PREFIX).mkdir()
    (tmp_path / "own" / PREFIX / "checkpoint").write_text(f'model_checkpoint_path: "{elsewhere}"\n')
    np.testing.assert_array_equal(rnnstates.load_weights(tmp_path / "own" / PREFIX).layers[0].forward.kernel, 1)


@pytest.mark.parametrize("ending", ["", ".index", ".data-00000-of-00001"])
def test_a_checkpoint_is_named_by_its_prefix_or_either_file(ending, tmp_path):
    write(tmp_path)
    network = rnnstates.load_weights(tmp_path / f"{PREFIX}{ending}")
    assert network.origin["source_format"] == "TensorFlow 1 (TensorFlow checkpoint V2)"


def test_a_folder_with_several_checkpoints_is_refused_with_their_names(tmp_path):
    write(tmp_path, name="a-1")
    write(tmp_path, name="a-2")
    assert "holds 2 checkpoints; name one of them: a-1.index, a-2.index" in refusal(tmp_path)


def test_a_missing_or_shortened_file_of_arrays_is_named(tmp_path):
    path = write(tmp_path)
    stored = tmp_path / f"{PREFIX}.data-00000-of-00001"
    stored.write_bytes(stored.read_bytes()[:-4])
    assert "it is cut short, copy it again" in refusal(path)
    stored.unlink()
    assert f"has no file {stored.name}; copy the whole checkpoint" in refusal(path)


def test_a_changed_number_is_seen_by_its_checksum(tmp_path):
    path = write(tmp_path)
    stored = tmp_path / f"{PREFIX}.data-00000-of-00001"
    stored.write_bytes(b"\1" + stored.read_bytes()[1:])
    assert "TensorFlow cannot read it" in refusal(path)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    path = write(tmp_path / "own")
    stored = tmp_path / "own" / f"{PREFIX}.data-00000-of-00001"
    stored.rename(tmp_path / "elsewhere")
    stored.symlink_to(tmp_path / "elsewhere")
    assert "is a link to another folder, which is not followed" in refusal(path)


def test_a_cache_in_which_all_files_are_links_into_one_folder_is_read(tmp_path):
    write(tmp_path / "blobs")
    (tmp_path / "snapshot").mkdir()
    for name in os.listdir(tmp_path / "blobs"):
        (tmp_path / "snapshot" / name).symlink_to(f"../blobs/{name}")
    assert rnnstates.load_weights(tmp_path / "snapshot" / PREFIX).layers[0].forward.units == 5


def test_shards_of_version_1_are_read_together(tmp_path):
    tf = import_tensorflow()
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        for name, shape, device in ((KERNEL, (8, 20), "/cpu:0"), (BIAS, (20,), "/cpu:0")):
            with tf.device(device):
                v1.get_variable(name, initializer=tf.ones(shape))
        session.run(v1.global_variables_initializer())
        v1.train.Saver(write_version=1, sharded=True).save(session, str(tmp_path / PREFIX), write_meta_graph=False)
    assert (tmp_path / f"{PREFIX}-00000-of-00001").is_file()
    for name in (PREFIX, f"{PREFIX}-00000-of-00001"):
        np.testing.assert_array_equal(rnnstates.load_weights(tmp_path / name).layers[0].forward.kernel, 1)
    (tmp_path / f"{PREFIX}-00000-of-00001").rename(tmp_path / f"{PREFIX}-00000-of-00002")
    assert "has 1 of 00002 shards; copy the whole checkpoint" in refusal(tmp_path / PREFIX)


def test_a_name_that_tensorflow_would_take_for_a_pattern_is_refused(tmp_path):
    write(tmp_path, version=1, name="a1")
    (tmp_path / "a1").rename(tmp_path / "a*")
    assert "for a pattern; rename it" in refusal(tmp_path / "a*")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_floating_types_are_read(dtype, tmp_path):
    tf = import_tensorflow()
    halves = {KERNEL: tf.cast(np.full((8, 20), 1.5), dtype), BIAS: tf.cast(np.full(20, 1.5), dtype)}
    read = rnnstates.load_weights(write(tmp_path, halves)).layers[0].forward.kernel
    assert read.dtype == {"bfloat16": "float32"}.get(dtype, dtype)
    np.testing.assert_array_equal(read, 1.5)


@pytest.mark.parametrize("content", [b"\xff" * 50, b"\x0a\xff\xff\xff\xff\x0f"])
def test_an_invalid_graph_or_configuration_is_refused(content, tmp_path):
    path = write(tmp_path)
    (tmp_path / f"{PREFIX}.meta").write_bytes(content)
    assert f"{PREFIX}.meta: has a damaged MetaGraphDef" in refusal(path)
    saved = tmp_path / "saved"
    write(saved / "variables", name="variables")
    (saved / "saved_model.pb").write_bytes(b"")
    assert rnnstates.load_weights(saved).origin["source_format"] == "TensorFlow 1 (TensorFlow SavedModel)"
    (saved / "keras_metadata.pb").write_bytes(content)
    assert "keras_metadata.pb: is damaged" in refusal(saved)
    (saved / "keras_metadata.pb").unlink()
    (saved / "saved_model.pb").write_bytes(content)
    assert "saved_model.pb: has a damaged SavedModel" in refusal(saved)


def test_a_saved_model_without_variables_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert "a SavedModel without variables/variables.index" in refusal(tmp_path)


def test_a_graph_that_is_too_large_is_left_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "LARGEST_DOCUMENT", 10)
    path = write(tmp_path)
    (tmp_path / f"{PREFIX}.meta").write_bytes(b"\xff" * 50)
    assert any("is run; assumed" in note for note in rnnstates.load_weights(path).notes)


def test_what_is_no_checkpoint_is_recognised_without_tensorflow(tmp_path):
    for name, content in {"a": b"", "b": b"x" * 100, "c.index": b"y" * 60}.items():
        (tmp_path / name).write_bytes(content)
    code = (
        "import sys; from rnnstates.weights.readers.checkpoint.file import recognise_checkpoint as known; "
        f"print([known(path) for path in {[str(tmp_path / name) for name in ('a', 'b', 'c.index', 'no', 'c')]}]); "
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([False] * 5)
