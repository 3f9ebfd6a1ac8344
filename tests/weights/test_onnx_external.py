"""ONNX values in a file beside the model: read where that is safe, refused where the model could lead elsewhere."""

import os
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto

import rnnstates
from rnnstates import BadWeights, MissingInput
from rnnstates.weights.load import describe_weights
from rnnstates.weights.readers import digest

from .damage import refusal
from .test_onnx import H, I, N, T, arrays_of, constant, lstm, runtime, save

NAME = "values.bin"


def placed(tensor, location, **stated):
    """Take the values out of a tensor and say where they lie."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **stated}.items():
        tensor.external_data.add(key=key, value=str(value))


def outside(path, location=NAME, data=None, model=None, **stated):
    """Save an LSTM whose W lies in another file."""
    arrays = arrays_of("LSTM", 1)
    model = lstm(arrays=arrays) if model is None else model
    data = arrays["W"].tobytes() if data is None else data
    if location == NAME:
        (path.parent / NAME).write_bytes(data)
    placed(model.graph.initializer[0], location, **stated)
    return save(model, path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.onnx"


def kernel(path):
    return rnnstates.load_weights(path).layers[0].forward.kernel


@pytest.mark.parametrize("stated", [{}, {"offset": 0}, {"length": 4 * 4 * H * I}, {"checksum": "0" * 40}])
def test_values_beside_the_model_are_read(path, tmp_path, stated):
    saved = save(lstm(), tmp_path / "whole.onnx")
    np.testing.assert_array_equal(kernel(outside(path, **stated)), kernel(saved))


def test_a_model_that_onnx_saves_in_two_files_is_what_the_runtime_makes_of_it(path):
    model = lstm(arrays=arrays_of("LSTM", 1, seed=3))
    onnx.save(model, str(path), save_as_external_data=True, location="m.onnx_data", size_threshold=0)
    inputs = np.random.RandomState(1).randn(N, T, I).astype("f4")
    expected = runtime(path, X=inputs.swapaxes(0, 1), lengths=np.full(N, T, "i4"))["Y"][:, 0]
    found = rnnstates.extract(inputs, "full", weights=path, engine="numpy")
    np.testing.assert_allclose(found["hidden"].swapaxes(0, 1), expected, rtol=0, atol=1e-6)


def test_values_of_a_constant_beside_the_model_are_read(path, tmp_path):
    arrays = arrays_of("LSTM", 1)
    model = lstm(before=[constant("W", arrays["W"])])
    placed(model.graph.node[0].attribute[0].t, NAME, offset=16)
    (tmp_path / NAME).write_bytes(bytes(16) + arrays["W"].tobytes())
    np.testing.assert_array_equal(kernel(save(model, path)), kernel(save(lstm(), tmp_path / "whole.onnx")))


def test_only_what_the_layers_need_is_read(path, tmp_path):
    """A tensor that no layer reads may be of any size: its file is looked at, and not read."""
    arrays = arrays_of("LSTM", 1)
    model = lstm(arrays=arrays)
    head = model.graph.initializer.add(name="head", data_type=1, dims=[2**20, 2**7])
    placed(head, "head.bin")
    (tmp_path / "head.bin").write_bytes(b"\1" * 2**20)
    os.truncate(tmp_path / "head.bin", 2**29)
    assert describe_weights(outside(path, model=model))["selected"] == "cell"
    assert kernel(path).shape == (I, 4 * H)


@pytest.mark.parametrize("location", ["../secret", "/secret", "sub/secret", "", ".", "..", "a\\b", "a\0b", "x" * 300])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, location):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for secret in (tmp_path / "secret", tmp_path / "in" / "sub" / "secret"):
        secret.write_bytes(arrays_of("LSTM", 1)["W"].tobytes())
    stated = refusal(outside(tmp_path / "in" / "m.onnx", location))
    assert (
        f"tensor 'W': its values are in another file ({location[:80]!r}); expected a plain name in the folder" in stated
    )
    assert "torch.onnx.export(..., external_data=False)" in stated


def test_links_are_not_followed(path, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    secret = tmp_path / "elsewhere" / "secret"
    secret.write_bytes(arrays_of("LSTM", 1)["W"].tobytes())
    outside(path, "other.bin")
    (tmp_path / "other.bin").symlink_to(secret)
    assert "other.bin: a link; expected a regular file" in refusal_of(path)
    (tmp_path / "other.bin").unlink()
    os.link(secret, tmp_path / "other.bin")
    assert "other.bin: a file with several names (hard links); expected a regular file" in refusal_of(path)


def refusal_of(path):
    with pytest.raises(BadWeights) as error:
        rnnstates.load_weights(path)
    return str(error.value)


def test_what_is_no_file_is_not_opened(path, tmp_path):
    outside(path, "other.bin")
    os.mkfifo(tmp_path / "other.bin")
    assert "other.bin: a pipe, socket or device; expected a regular file" in refusal_of(path)
    (tmp_path / "other.bin").unlink()
    (tmp_path / "other.bin").mkdir()
    assert "other.bin: a directory; expected a regular file" in refusal_of(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(
        MissingInput, match=r"m\.onnx: tensor 'W': its values are in 'other\.bin', which is not next to"
    ):
        rnnstates.load_weights(outside(path, "other.bin"))


SIZE = 4 * 4 * H * I


@pytest.mark.parametrize(
    "stated, said",
    [
        ({"offset": -4}, "its offset in 'values.bin' is '-4'; expected a whole number that is not negative"),
        ({"length": -SIZE}, f"its length in 'values.bin' is '-{SIZE}'; expected a whole number"),
        ({"offset": "1e3"}, "its offset in 'values.bin' is '1e3'; expected a whole number"),
        ({"offset": "9" * 30}, "expected a whole number"),
        ({"offset": 4}, f"declares {SIZE - 4} bytes from byte 4 on of 'values.bin'; expected {SIZE}"),
        ({"length": 8}, f"declares 8 bytes from byte 0 on of 'values.bin'; expected {SIZE}"),
        ({"offset": 4, "length": SIZE}, f"declares {SIZE} bytes from byte 4 on of 'values.bin', which has {SIZE}"),
        ({"offset": 2**60, "length": SIZE}, f"from byte {2**60} on of 'values.bin', which has {SIZE}"),
        ({"offset": 10**6}, f"declares {SIZE - 10**6} bytes from byte 1000000 on"),
    ],
)
def test_a_place_that_does_not_fit_the_tensor_is_refused(path, stated, said):
    assert said in refusal(outside(path, **stated))


def test_a_key_that_is_there_twice_is_refused(path):
    model = lstm()
    model.graph.initializer[0].external_data.add(key="location", value=NAME)
    assert "says twice what its 'location' is" in refusal(outside(path, model=model))


def test_a_huge_tensor_in_a_small_file_is_refused(path):
    model = lstm()
    model.graph.initializer[0].dims[:] = [1, 2**17, 2**17]
    stated = refusal(outside(path, model=model, length=4 * 2**34))
    assert f"declares {4 * 2**34} bytes from byte 0 on of 'values.bin', which has {SIZE}" in stated


def test_a_file_of_holes_is_refused(path, tmp_path):
    model = lstm()
    model.graph.initializer[0].dims[:] = [1, 2**17, 2**17]
    outside(path, model=model)
    os.truncate(tmp_path / NAME, 4 * 2**34)
    assert "values.bin: declares 68719476736 bytes but stores" in refusal_of(path)


def test_tensors_that_share_far_more_than_the_file_has_are_refused(path):
    model = lstm()
    for number in range(9):
        model.graph.initializer.add().CopyFrom(model.graph.initializer[0])
        model.graph.initializer[-1].name = f"again {number}"
        placed(model.graph.initializer[-1], NAME)
    assert f"declare far more than 'values.bin' has ({SIZE} bytes)" in refusal(outside(path, model=model))


def test_a_constant_made_of_values_beside_the_model_is_bounded_by_those(path, tmp_path):
    arrays = arrays_of("LSTM", 1)
    nodes = [onnx.helper.make_node("Concat", ["first", "second"], ["W"], "joined", axis=2)]
    model = lstm(before=nodes, arrays=arrays)
    halves = np.split(arrays["W"], [1], axis=2)
    for name, half in zip(("first", "second"), halves, strict=True):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.ascontiguousarray(half), name))
    placed(model.graph.initializer[-1], NAME)
    (tmp_path / NAME).write_bytes(np.ascontiguousarray(halves[1]).tobytes())
    np.testing.assert_array_equal(kernel(save(model, path)), kernel(save(lstm(), tmp_path / "whole.onnx")))


def test_other_values_beside_the_model_are_another_file_of_weights(path, tmp_path):
    outside(path)
    first, network = digest(str(path)), rnnstates.load_weights(path)
    assert network.origin["sha256"] == first
    (tmp_path / NAME).write_bytes(arrays_of("LSTM", 1, seed=9)["W"].tobytes())
    assert digest(str(path)) != first
    # What the model does not name has no part in it.
    (tmp_path / "unnamed").write_bytes(b"x")
    (tmp_path / NAME).write_bytes(arrays_of("LSTM", 1)["W"].tobytes())
    assert digest(str(path)) == first


def test_what_is_not_read_has_no_part_in_the_checksum(path, tmp_path):
    alone = digest(str(outside(path, "other.bin")))
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "other.bin").symlink_to(tmp_path / "secret")
    assert digest(str(path)) == alone


def test_values_that_change_while_they_are_read_are_refused(path, tmp_path, monkeypatch):
    from rnnstates.weights.readers.onnx import external as onnx_external

    real = onnx_external.Beside.read

    def late(self, place, expected, where):
        os.truncate(tmp_path / NAME, SIZE // 2)
        return real(self, place, expected, where)

    monkeypatch.setattr(onnx_external.Beside, "read", late)
    assert re.search(r"'values\.bin' changed while it was read\. Run again\.", refusal(outside(path)))


def test_the_order_of_keys_does_not_matter(path):
    model = lstm()
    model.graph.initializer[0].external_data.add(key="offset", value="0")
    assert kernel(outside(path, model=model)).shape == (I, 4 * H)
