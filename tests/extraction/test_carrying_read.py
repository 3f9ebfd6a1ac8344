"""Datasets that were copied from the input are read like any others, and are never taken for units."""

import numpy as np
import pytest

import rnnstates
from rnnstates import OptionError

from .test_carrying import BOXES, CARRY, LABELS, LENGTHS, TARGETS, VECTORS, write

COPIED = {"per_sequence": {"labels", "vectors", "names"}, "per_step": {"targets", "boxes", "words"}}


def two_layers(units):
    random = np.random.RandomState(4)

    def layer(name, width):
        kernels = random.standard_normal((width, 4 * units)), random.standard_normal((units, 4 * units))
        weights = rnnstates.LayerWeights(*kernels, np.zeros(4 * units))
        return rnnstates.RecurrentLayer(name, forward=weights, backward=weights)

    return rnnstates.Network((layer("low", 3), layer("high", 2 * units)))


@pytest.mark.parametrize("layout", ["padded", "packed"])
@pytest.mark.parametrize("options", [{}, {"keep_units": [1, 0]}, {"rows": [5, 2]}, {"every": 2}], ids=str)
def test_copied_datasets_in_xarray_are_never_units(tmp_path, options, layout):
    pytest.importorskip("xarray")
    source = write(tmp_path / "x.h5")
    states = rnnstates.extract(source, units=4, carry=CARRY, layout=layout, **options)
    labelled = states.to_xarray()
    assert labelled["hidden"].dims[-1] == labelled["cell_last"].dims[-1] == "unit"
    assert labelled["unit"].values.tolist() == options.get("keep_units", [0, 1, 2, 3])
    assert labelled["per_sequence/vectors"].dims == ("sequence", "vectors_axis0")
    assert labelled["per_step/boxes"].dims[-1] == "boxes_axis0"
    deep = rnnstates.extract(source, weights=two_layers(5), carry=CARRY, layout=layout, **options)
    tree = deep.to_xarray()
    for group, names in COPIED.items():
        more = {"input_row"} if "rows" in options and group == "per_sequence" else set()
        assert set(tree[group].data_vars) == names | more
        for name in names:
            np.testing.assert_array_equal(tree[f"{group}/{name}"], deep[f"{group}/{name}"])
    assert tree["per_sequence/vectors"].dims == ("sequence", "vectors_axis0")
    assert not any("/" in name for name in tree["layer1/forward"].data_vars)


@pytest.mark.parametrize("units", [5, 2])
def test_columns_of_copied_datasets_count_from_zero_whatever_units_are_kept(tmp_path, units):
    pytest.importorskip("pandas")
    states = rnnstates.extract(write(tmp_path / "x.h5"), units=units, carry=CARRY, keep_units="1,0")
    assert states.units("hidden").tolist() == [1, 0]
    assert states.units("per_step/boxes").tolist() == [0, 1]
    table = states.frame("per_sequence/vectors")
    np.testing.assert_array_equal(table[[f"vectors_{column}" for column in range(5)]], VECTORS)
    steps = states.frame("per_step/boxes")
    expected = np.concatenate([row[:length] for row, length in zip(BOXES, LENGTHS, strict=True)])
    np.testing.assert_array_equal(steps[["boxes_0", "boxes_1"]], expected)


def test_a_copied_dataset_called_like_final_states_belongs_to_every_layer(tmp_path):
    inputs, scores = np.ones((2, 3, 3)), np.array([4.0, 5.0])
    states = rnnstates.extract(inputs, [3, 1], weights=two_layers(2), carry={"score_final": scores})
    np.testing.assert_array_equal(states.layer("layer1/forward")["per_sequence/score_final"], scores)


@pytest.mark.framework
@pytest.mark.parametrize("form", ["padded", "packed"])
def test_batches_of_pytorch_have_copied_numbers_of_each_step(tmp_path, form):
    torch = pytest.importorskip("torch")
    states = rnnstates.extract(write(tmp_path / "x.h5"), units=2, carry=CARRY)[[2, 0, 5]]
    dataset = states.torch_dataset(["hidden", "per_step/targets", "per_sequence/labels", "per_sequence/vectors"])
    (batch,) = torch.utils.data.DataLoader(dataset, batch_size=3, collate_fn=dataset.collate(form))
    np.testing.assert_array_equal(batch["per_sequence/labels"], LABELS[[2, 0, 5]])
    np.testing.assert_array_equal(batch["per_sequence/vectors"], VECTORS[[2, 0, 5]])
    targets = batch["per_step/targets"]
    if form == "packed":
        targets, lengths = torch.nn.utils.rnn.pad_packed_sequence(targets, batch_first=True)
        assert lengths.tolist() == [7, 4, 2]
    assert targets.shape == (3, 7)
    for row, place in zip(targets, [2, 0, 5], strict=True):
        length = LENGTHS[place]
        np.testing.assert_array_equal(row[:length], TARGETS[place, :length])
        assert not row[length:].any()


@pytest.mark.framework
@pytest.mark.parametrize("name", ["per_step/words", "per_sequence/names"])
def test_text_is_no_tensor_of_pytorch(tmp_path, name):
    pytest.importorskip("torch")
    states = rnnstates.extract(write(tmp_path / "x.h5"), units=2, carry=CARRY)
    says = rf"names='{name}': is text, of which PyTorch makes no tensor; .* states\[3\]\['{name}'\]"
    with pytest.raises(OptionError, match=says):
        states.torch_dataset(["hidden", name])
