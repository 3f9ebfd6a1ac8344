"""Names that people give for a checkpoint of TensorFlow: each is read as the whole of it, or says what to give."""

from pathlib import Path

import pytest

import rnnstates
from rnnstates import MissingInput

from .crafted_checkpoints import PREFIX, write
from .damage import refusal
from .tensorflow1_models import asked, check
from .tensorflow1_models import write as save


@pytest.mark.parametrize("ending", ["", ".index", ".meta", ".data-00000-of-00001"])
def test_every_name_of_a_checkpoint_has_the_digest_of_all_its_files(ending, tmp_path):
    path = write(tmp_path)
    graph = Path(f"{path}.meta")
    graph.write_bytes(b"")
    before = rnnstates.load_weights(path).origin["sha256"]
    assert rnnstates.load_weights(f"{path}{ending}").origin["sha256"] == before
    graph.write_bytes(b"\x1a\x00")
    assert rnnstates.load_weights(f"{path}{ending}").origin["sha256"] != before


def test_a_folder_s_list_of_checkpoints_is_not_followed(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = write(elsewhere)
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{path}"\n')
    message = refusal(tmp_path / "checkpoint")
    assert "list of the checkpoints of a folder, which may name any place and is not followed" in message
    assert "Give a checkpoint by its prefix (model.ckpt-100)" in message


@pytest.mark.parametrize("given", ["", PREFIX, f"{PREFIX}.data-00000-of-00001", f"{PREFIX}.meta"])
def test_a_part_without_its_table_of_contents_is_refused_with_what_belongs_to_it(given, tmp_path):
    path = write(tmp_path)
    Path(f"{path}.meta").write_bytes(b"")
    Path(f"{path}.index").unlink()
    message = refusal(tmp_path / given)
    assert f"only {PREFIX}.data-00000-of-00001, {PREFIX}.meta is there; expected its table of contents" in message


def test_a_name_without_the_number_of_its_step_is_refused_with_the_whole_one(tmp_path):
    write(tmp_path, name="model.ckpt-70")
    with pytest.raises(MissingInput, match=r"no checkpoint of that name; give one of model\.ckpt-70\."):
        rnnstates.load_weights(tmp_path / "model.ckpt")


@pytest.mark.parametrize("given", ["", "old.ckpt", "old.ckpt.meta"])
def test_a_checkpoint_of_version_1_is_named_by_its_folder_and_its_graph_too(given, tmp_path):
    save(tmp_path / "old.ckpt", asked("gru", "float32")[1], 1)
    (tmp_path / "old.ckpt.meta").write_bytes(b"")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "old.ckpt"\n')
    check(tmp_path / given, "gru", "float32")
