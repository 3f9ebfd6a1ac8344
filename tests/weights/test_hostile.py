"""Weights files made to attack, or damaged: nothing in them runs, nothing outside them is read, memory is bounded."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.weights.frameworks.keras import graph

from .damage import KERNEL, called_on, functional, refusal, replace_kernel, zipped


def test_the_untouched_files_are_read(saved):
    for path in saved.iterdir():
        assert rnnstates.load_weights(path).features == 3


def test_code_in_a_lambda_layer_is_not_run(members, tmp_path):
    """The configuration of a Lambda is marshalled bytecode; here it would make a file."""
    config = json.loads(members["config.json"])
    bait = tmp_path / "executed"
    code = {"class_name": "__lambda__", "config": {"value": f"open({str(bait)!r}, 'w')"}}
    config["config"]["layers"].insert(1, {"class_name": "Lambda", "config": {"name": "evil", "function": code}})
    path = zipped(tmp_path / "m.keras", members | {"config.json": json.dumps(config).encode()})
    network = rnnstates.load_weights(path)
    assert any("'evil' (Lambda) before 'enc', which is not run" in note for note in network.notes)
    config["config"]["layers"][-1]["config"]["activation"] = code
    zipped(path, members | {"config.json": json.dumps(config).encode()})
    assert "activation is '__lambda__', a custom class or function" in refusal(path)
    assert not bait.exists()


def test_a_module_named_in_a_configuration_is_not_imported(members, tmp_path, monkeypatch):
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    config = json.loads(members["config.json"])
    config["config"]["layers"][-1]["module"] = "evil_module"
    path = zipped(tmp_path / "m.keras", members | {"config.json": json.dumps(config).encode()})
    assert "its class is not Keras' own" in refusal(path)


def test_external_storage_is_not_read(weights, tmp_path):
    (tmp_path / "secret").write_bytes(np.ones((3, 20), "f4").tobytes())
    external = [(str(tmp_path / "secret"), 0, 240)]
    replace_kernel(weights, lambda file: file.create_dataset(KERNEL, shape=(3, 20), dtype="f4", external=external))
    assert "its values are in another file" in refusal(weights)


def test_external_storage_inside_a_zip_is_not_read(members, tmp_path):
    (tmp_path / "secret").write_bytes(np.ones((3, 20), "f4").tobytes())
    inner = io.BytesIO(members["model.weights.h5"])
    external = [(str(tmp_path / "secret"), 0, 240)]
    replace_kernel(inner, lambda file: file.create_dataset(KERNEL, shape=(3, 20), dtype="f4", external=external))
    path = zipped(tmp_path / "m.keras", members | {"model.weights.h5": inner.getvalue()})
    assert "its values are in another file" in refusal(path)


@pytest.mark.parametrize(
    "link, message",
    [
        (h5py.ExternalLink("other.h5", "/kernel"), "'0' is a link into another file (other.h5); links are refused"),
        (h5py.SoftLink("/kernel"), "'0' is a soft link to '/kernel'; links are refused"),
    ],
    ids=["external", "soft"],
)
def test_links_are_not_followed(weights, tmp_path, link, message):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["kernel"] = np.ones((3, 20), "f4")
    replace_kernel(weights, lambda file: file.__setitem__(KERNEL, link))
    assert message in refusal(weights)


def test_a_virtual_dataset_is_not_followed(weights, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["kernel"] = np.ones((3, 20), "f4")
    layout = h5py.VirtualLayout((3, 20), "f4")
    layout[...] = h5py.VirtualSource(str(tmp_path / "other.h5"), "kernel", (3, 20))
    replace_kernel(weights, lambda file: file.create_virtual_dataset(KERNEL, layout))
    assert f"'{KERNEL}': a virtual dataset, whose values are elsewhere" in refusal(weights)


def test_an_array_far_larger_than_what_is_stored_is_refused_before_memory_is_taken(weights):
    units = 2**17  # a kernel and a recurrent kernel of 2 ** 36 bytes and more
    with h5py.File(weights, "r+") as file:
        for number, shape in enumerate([(3, 4 * units), (units, 4 * units), (4 * units,)]):
            del file[f"layers/lstm/cell/vars/{number}"]
            chunks = (1, 4 * units) if len(shape) == 2 else None
            dataset = file.create_dataset(f"layers/lstm/cell/vars/{number}", shape, "f4", chunks=chunks)
            if number != 1:
                dataset[...] = 1
    assert "declares 274877906944 bytes but stores 0" in refusal(weights)


def test_values_that_were_never_written_are_not_taken_for_zeros(weights):
    replace_kernel(weights, lambda file: file.create_dataset(KERNEL, (3, 20), "f4"))
    assert "its values, (3, 20), were never written" in refusal(weights)


def test_a_member_twice_is_refused(members, tmp_path):
    path = zipped(tmp_path / "m.keras", members)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("config.json", "{}")
    assert "a member twice" in refusal(path)


def test_a_zip_bomb_is_refused_unopened(members, tmp_path):
    path = zipped(tmp_path / "m.keras", members | {"model.weights.h5": bytes(2**24)}, compression=zipfile.ZIP_DEFLATED)
    assert "unpacks 16" in refusal(path)
    assert "weights do not compress so well" in refusal(path)


def test_a_member_that_lies_about_its_size_is_refused(members, tmp_path):
    path = zipped(tmp_path / "m.keras", members)
    content = path.read_bytes()
    real = len(members["config.json"])
    short = content.replace(real.to_bytes(4, "little"), (real - 10).to_bytes(4, "little"))
    path.write_bytes(short)
    refusal(path)


def test_an_encrypted_member_is_refused(members, tmp_path):
    path = zipped(tmp_path / "m.keras", members)
    content = bytearray(path.read_bytes())
    for start, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(start)
        while place >= 0:
            content[place + flags] |= 1
            place = content.find(start, place + 4)
    path.write_bytes(content)
    assert "is encrypted" in refusal(path)


def test_member_names_that_lead_elsewhere_are_never_extracted(members, tmp_path):
    (tmp_path / "in").mkdir()
    path = zipped(tmp_path / "in" / "m.keras", members)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../escaped", "x")
    assert rnnstates.load_weights(path).features == 3
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in"]


def test_models_shared_at_every_depth_do_not_multiply(members, tmp_path):
    """Each model calls the one inside twice: followed blindly, that is 2 ** 40 paths."""
    inner = {"class_name": "Dense", "config": {"name": "a"}, "name": "a", "inbound_nodes": [[["i", 0, 0, {}]]]}
    for _ in range(40):
        entry = {"class_name": "InputLayer", "config": {"name": "i"}, "name": "i", "inbound_nodes": []}
        layers = {"name": "a", "layers": [entry, inner], "input_layers": [["i", 0, 0]], "output_layers": [["a", 0, 0]]}
        nodes = [[["i", 0, 0, {}]], [["a", 0, 0, {}]]]
        inner = {"class_name": "Functional", "config": layers, "name": "a", "inbound_nodes": nodes}
    config = functional(inner | {"inbound_nodes": []}, called_on("enc", "a"))
    path = zipped(tmp_path / "m.keras", members | {"config.json": json.dumps(config).encode()})
    assert rnnstates.load_weights(path).features == 3


def test_lone_surrogates_in_a_name_are_refused_before_they_are_printed(members, tmp_path):
    config = members["config.json"].replace(b'"enc"', b'"e\\ud800"')
    assert config != members["config.json"]
    path = zipped(tmp_path / "m.keras", members | {"config.json": config})
    assert "has invalid characters (lone surrogates)" in refusal(path)


def test_layers_that_share_a_long_chain_take_no_quadratic_time(members, tmp_path, monkeypatch):
    assert graph.MOST_STEPS <= 1_000_000
    # It takes seconds to come to the limit.
    monkeypatch.setattr(graph, "MOST_STEPS", graph.MOST_STEPS // 20)
    chain = [called_on("d0", class_name="Dropout")]
    chain += [called_on(f"d{n}", f"d{n - 1}", class_name="Dropout") for n in range(1, 3000)]
    config = functional(*chain, *(called_on(f"a{n}", "d2999") for n in range(3000)))
    path = zipped(tmp_path / "m.keras", members | {"config.json": json.dumps(config).encode()})
    assert "connected in more ways than any model's; it is refused" in refusal(path)


def test_groups_nested_without_end_are_refused(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        group = file
        for _ in range(200):
            group = group.create_group("g" * 500)
        group["kernel"] = np.ones(3)
    assert "groups nested more than 64 deep, or paths over 4096; refused" in refusal(tmp_path / "w.h5")
