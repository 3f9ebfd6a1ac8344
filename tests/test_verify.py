"""What ``verify`` passes and what it finds: every kind of output healthy, every kind of damage done to a real one."""

import json
import os
import re
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadInput, BadStates, BadWeights, MissingInput, Network, OptionError, RecurrentLayer
from rnnstates.network.cells import CELLS, STATES
from rnnstates.output.format import Shape, plan_datasets
from rnnstates.pooling import POOLINGS, pool
from rnnstates.verification import blocks, comparing, recomputing
from rnnstates.verification.promised import Part
from rnnstates.verification.running import Running
from rnnstates.verification.tolerance import difference

from .builders import bidirectional_stack, cell_weights, embedded, layer_weights, one_layer, ragged

ALL_POOLS = ",".join(POOLINGS)
INPUTS, LENGTHS = ragged(sequences=9, steps=8, features=3)
INPUTS = np.nan_to_num(INPUTS).astype(np.float32)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with in.h5, w.weights.h5 and nothing else."""
    monkeypatch.chdir(tmp_path)
    with h5py.File("in.h5", "w") as file:
        file["inputs"], file["lengths"] = INPUTS, LENGTHS
        file["ids"] = [f"seq/{row}" for row in range(9)]
    rnnstates.save_weights(one_layer(), "w.weights.h5")
    return tmp_path


def make(inputs="in.h5", lengths=None, output="out.h5", **options):
    options = {"weights": "w.weights.h5", "engine": "numpy", "pool": ALL_POOLS, **options}
    rnnstates.extract(inputs, lengths, output=output, **options).close()


def right(path="out.h5", **options):
    """Verify all sequences of a healthy file."""
    found = rnnstates.verify(path, **{"sample": 100, **options})
    assert found["reason"] is None
    assert found["recomputed"]
    return found


def edit(name, place, value, path="out.h5"):
    with h5py.File(path, "r+") as file:
        file[name][place] = value


def wrong(message, error=BadStates, path="out.h5", **options):
    """Verify a damaged file; the message must match."""
    with pytest.raises(error, match=message) as raised:
        rnnstates.verify(path, **{"sample": 100, **options})
    assert str(raised.value).endswith((".", ")"))


# Healthy outputs.


@pytest.mark.parametrize("dtype", rnnstates.DTYPES)
@pytest.mark.parametrize("padding", rnnstates.PADDINGS)
@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_every_layout_padding_and_dtype_passes(place, layout, padding, dtype):
    make(layout=layout, padding=padding, dtype=dtype, states=",".join(["hidden", "cell", "state", "input_gate"]))
    found = right()
    assert found["recomputed"] == list(range(8))
    assert (found["sequences"], found["steps"], found["notes"]) == (9, int(LENGTHS.sum()), [])
    bound = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-5}[dtype]
    for name, data in found["datasets"].items():
        assert 0 <= data["recomputed"] < bound, name
        assert (data["pooled"] is None) == (name in ("hidden", "cell", "state", "input_gate"))
        assert data["pooled"] is None or data["pooled"] < bound, name


def test_every_engine_passes(place, engine):
    make(engine=engine)
    assert max(data["recomputed"] for data in right()["datasets"].values()) < 1e-5


@pytest.mark.parametrize("engine", ["numpy", "tensorflow"])
def test_float64_is_held_to_float64(place, engine):
    make(engine=engine, precision="float64")
    assert max(data["recomputed"] for data in right()["datasets"].values()) < 1e-12
    with h5py.File("out.h5", "r+") as file:
        file["hidden"][0, 1, 2] += 1e-9
    wrong(r"'hidden_mean' is not the mean of 'hidden' in sequence 0 ")
    make(engine=engine, precision="float64", pool="none", force=True)
    with h5py.File("out.h5", "r+") as file:
        file["hidden"][0, 1, 2] += 1e-9
    wrong(r"'hidden' is not what float64 gives in sequence 0 \(step 1, unit 2 is .*at most 1.0e-10 and the rounding of")


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_passes_with_all_its_states(place, cell):
    network = Network((RecurrentLayer(cell, forward=cell_weights(cell, 3, 5)),))
    has = [*CELLS[cell].state._fields, *CELLS[cell].gates._fields, "state"]
    make(weights=network, states=has, pool="mean,std,final")
    assert set(right(weights=network)["datasets"]) >= set(has)


NETWORKS = {
    "a bidirectional stack": bidirectional_stack(),
    "a backward layer": Network((RecurrentLayer("lstm", backward=layer_weights(3, 5)),)),
    "a projection": Network(
        (
            RecurrentLayer(
                "lstm",
                forward=rnnstates.LayerWeights(
                    np.ones((3, 20)) * 0.1, np.ones((2, 20)) * 0.2, np.zeros(20), projection=np.ones((5, 2)) * 0.3
                ),
            ),
        )
    ),
}


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_network_passes(place, name, layout):
    make(weights=NETWORKS[name], layout=layout, states="hidden,cell,state")
    right(weights=NETWORKS[name])


@pytest.mark.parametrize("padding", rnnstates.PADDINGS)
def test_token_ids_pass(place, padding):
    rnnstates.save_weights(embedded(), "e.weights.h5")
    np.save("ids.npy", np.random.default_rng(0).integers(0, 7, (9, 8)))
    make("ids.npy", LENGTHS, weights="e.weights.h5", padding=padding)
    right()


def test_random_weights_are_drawn_again(place):
    make(weights=None, units=6, seed=5, forget_bias=0.5)
    right()


def test_random_weights_of_an_edited_file_are_refused(place):
    make(weights=None, units=6)
    edit_provenance(weights={"random": {"units": 6, "colour": 1}})
    wrong("its provenance says of the random weights {'units': 6, 'colour': 1}; expected features, units, seed and ")


def test_options_of_the_weights_are_remembered(place):
    np.savez("w.npz", kernel=np.ones((3, 8)) * 0.3, recurrent_kernel=np.eye(2, 8), bias=np.zeros(8))
    make(weights="w.npz", convention="keras", forget_bias=1.0, activation="relu", cell_clip=0.8)
    with rnnstates.open("out.h5") as states:
        recorded = states.provenance["weights"]["options"]
    assert recorded == {"convention": "keras", "forget_bias": 1.0, "activation": "relu", "cell_clip": 0.8}
    right()
    wrong("'hidden' is not what float64 gives in ", forget_bias=0.0)


def test_the_chosen_layer_is_remembered(place):
    with h5py.File("two.weights.h5", "w") as file:
        for name, network in (("lstm", one_layer()), ("lstm_1", one_layer(seed=7))):
            rnnstates.save_weights(network, f"{name}.weights.h5")
            with h5py.File(f"{name}.weights.h5") as one:
                one.copy("layers/lstm", file.require_group("layers"), name)
    make(weights="two.weights.h5", layer="lstm_1")
    right()


@pytest.mark.parametrize("one_for_all", [True, False])
def test_an_initial_state_from_a_file_passes(place, one_for_all):
    random = np.random.default_rng(4)
    shape = (5,) if one_for_all else (9, 5)
    np.savez("start.npz", hidden=random.normal(size=shape), cell=random.normal(size=shape))
    make(initial_state="start.npz")
    right()


def test_a_continued_run_passes(place):
    make(output="a.h5", pool="final")
    make(initial_state="a.h5")
    right()


def test_pooled_values_alone_pass(place):
    make(states="none", dtype="float16")
    assert all(data["pooled"] is None for data in right()["datasets"].values())


def test_nonfinite_inputs_pass_where_they_were_allowed(place):
    inputs = INPUTS.copy()
    inputs[0, 2, 1] = np.nan
    np.save("in.npy", inputs)
    make("in.npy", LENGTHS, allow_nonfinite=True)
    right()
    edit("cell_mean", (2, 1), 9.0)
    wrong("'cell_mean' is not the mean of 'cell' in sequence 2 ")


def test_states_too_large_for_their_dtype_pass_as_infinite(place):
    weights = layer_weights(3, 5)
    large = rnnstates.LayerWeights(
        weights.kernel, weights.recurrent_kernel * 0.1, weights.bias, activation="linear", forget_bias=5.0
    )
    network = Network((RecurrentLayer("lstm", forward=large),))
    np.save("in.npy", np.abs(INPUTS) * 1e5)
    make("in.npy", LENGTHS, weights=network, dtype="float16", states="cell", pool="none")
    with rnnstates.open("out.h5") as states:
        assert np.isinf(states["cell"][()]).any()
    right(weights=network)


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
@pytest.mark.parametrize("sequences", [0, 4])
def test_an_output_without_a_step_passes_and_says_why_nothing_is_recomputed(place, sequences, layout):
    np.save("in.npy", np.zeros((sequences, 5, 3), np.float32))
    make("in.npy", np.zeros(sequences, int), layout=layout)
    found = rnnstates.verify("out.h5")
    assert (found["recomputed"], found["reason"]) == ([], "no sequence has any steps")


def test_blocks_and_groups_of_any_size_give_the_same(place, monkeypatch):
    for layout in rnnstates.LAYOUTS:
        for padding in rnnstates.PADDINGS:
            make(layout=layout, padding=padding, output=f"{layout}-{padding}.h5")
            expected = right(f"{layout}-{padding}.h5")
            for values in (5, 7 * 5, 20 * 5):
                with monkeypatch.context() as small:
                    small.setattr(blocks, "BLOCK_VALUES", values)
                    small.setattr(comparing, "BLOCK_VALUES", values)
                    small.setattr(recomputing, "GROUP_BYTES", values)  # through files, a sequence each
                    found = right(f"{layout}-{padding}.h5")
            for name, data in found["datasets"].items():
                assert data["recomputed"] == pytest.approx(expected["datasets"][name]["recomputed"], abs=1e-12)


# Damage.


def flip_byte(name, offset):
    """Flip the highest bits of a value in the file itself, behind HDF5's back."""
    with h5py.File("out.h5") as file:
        start = file[name].id.get_offset()
    with open("out.h5", "r+b") as raw:
        raw.seek(start + offset)
        byte = raw.read(1)[0]
        raw.seek(start + offset)
        raw.write(bytes([byte ^ 0x60]))


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_a_flipped_byte_of_a_state_is_found_by_its_mean(place, layout):
    make(layout=layout, pool="mean")
    flip_byte("hidden", 4 * (5 * 2 + 3) + 3)
    wrong(r"^out.h5: 'hidden_mean' is not the mean of 'hidden' in sequence 0 \(unit 3 is .*, of the states ", sample=0)


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_a_flipped_byte_is_found_by_recomputing_where_nothing_is_pooled(place, layout):
    make(layout=layout, pool="none")
    flip_byte("cell", 4 * (5 * 2 + 3) + 3)
    wrong(
        r"'cell' is not what float64 gives in sequence 0 \(step 2, unit 3 is .*, recomputed .*\); expected a "
        r"difference of at most \d.\de-05 and the rounding of float32"
    )


@pytest.mark.parametrize("name", ["hidden_last", "hidden_final", "cell_max", "cell_std", "hidden_sum", "cell_first"])
def test_a_wrong_pooled_value_is_found(place, name):
    make()
    with h5py.File("out.h5", "r+") as file:
        file[name][4, 2] += 1e-3
    state, _, pooling = name.partition("_")
    wrong(f"'{name}' is not the {pooling} of '{state}' in sequence 4 ")


def test_a_wrong_pooled_value_is_found_by_recomputing_where_no_states_are_stored(place):
    make(states="none", pool="mean,final")
    edit("hidden_mean", (4, 2), 0.75)
    wrong(r"'hidden_mean' is not what float64 gives in sequence 4 \(unit 2 is 0.75, recomputed ")


@pytest.mark.parametrize("padding", rnnstates.PADDINGS)
def test_padding_that_is_not_zero_is_found_with_five_examples(place, padding):
    make(padding=padding)
    with h5py.File("out.h5", "r+") as file:
        for row, length in enumerate(LENGTHS):
            if length < 8:
                file["hidden"][row, 7 if padding == "post" else 0, 1] = 0.25
    wrong(
        r"^out.h5: 'hidden' is not zero past the length in 8 sequences, the first 1 \(step \d is 0.25\), 2 .*, 3 .*, "
        r"4 .*, 5 \(step \d is 0.25\); expected zeros there. The file was damaged or edited after it was made; make it "
        r"again\.$"
    )


def test_nan_in_the_padding_is_found(place):
    make()
    edit("cell", (8, 3, 0), np.nan)
    wrong(r"'cell' is not zero past the length in sequence 8 \(step 3 is nan\)")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_a_state_that_is_not_finite_is_found(place, layout, value):
    make(layout=layout)
    edit("hidden", (0, 3, 1) if layout == "padded" else (3, 1), value)
    wrong(rf"'hidden' is not finite in sequence 0 \(step 3, unit 1 is {value}\); expected finite numbers, unless the")


def test_nan_in_a_pooled_value_is_found(place):
    make(states="none")
    edit("cell_max", (3, 2), np.nan)
    wrong(r"'cell_max' is not finite in sequence 3 \(unit 2 is nan\)")
    make(states="none", force=True)
    edit("cell_final", (8, 2), np.nan)
    wrong(r"'cell_final' is not finite in sequence 8 \(unit 2 is nan\)")


def test_a_number_where_an_empty_sequence_has_none_is_found(place):
    make()
    edit("hidden_mean", 8, 0.0)
    wrong(r"'hidden_mean' is not NaN in sequence 8 \(unit 0 is 0.0\); expected NaN where the length is 0")


@pytest.mark.parametrize(
    "row, length, message",
    [
        (3, 9, r"dataset 'lengths' has 9 for sequence 3 \(1 such\); expected 0 to 8"),
        (3, -1, r"dataset 'lengths' has -1 for sequence 3"),
        (0, 7, "'hidden' is not zero past the length in sequence 0"),
        (8, 1, r"'hidden_mean' is not the mean of 'hidden' in sequence 8 \(unit 0 is nan, of the states 0.0\)"),
    ],
)
def test_a_wrong_length_is_found(place, row, length, message):
    make()
    edit("lengths", row, length)
    wrong(message)


def test_a_wrong_length_of_a_packed_file_is_found(place):
    make(layout="packed")
    edit("lengths", 0, 7)
    total = int(LENGTHS.sum())
    wrong(rf"dataset 'hidden' has shape \({total}, 5\); expected \({total - 1}, 5\).*dataset 'offsets' has 8 at 1; exp")


def test_a_wrong_offset_is_found(place):
    make(layout="packed")
    edit("offsets", 3, 0)
    wrong(r"dataset 'offsets' has 0 at 3; expected \d+, the sum of the lengths before")
    with h5py.File("out.h5", "r+") as file:
        del file["offsets"]
    wrong("dataset 'offsets' is missing; expected")


def change(change_file):
    with h5py.File("out.h5", "r+") as file:
        change_file(file)


def replace(file, name, value):
    del file[name]
    file[name] = value


STRUCTURE = {
    "no cell": (lambda file: file.pop("cell"), r"dataset 'cell' is missing; expected shape \(9, 8, 5\)"),
    "another width": (
        lambda file: replace(file, "cell", np.zeros((9, 8, 4), "f4")),
        r"dataset 'cell' has shape \(9, 8, 4\); expected \(9, 8, 5\)",
    ),
    "another dtype": (
        lambda file: replace(file, "cell", np.zeros((9, 8, 5), "f8")),
        "dataset 'cell' has dtype float64; expected float32",
    ),
    "no ids": (lambda file: file.pop("ids"), "dataset 'ids' is missing; expected one id for each of 9 sequences"),
    "too few ids": (lambda file: replace(file, "ids", [1, 2]), r"dataset 'ids' has shape \(2,\); expected \(9,\)"),
    "no lengths": (lambda file: file.pop("lengths"), "lacks lengths; it is damaged"),
    "too few lengths": (
        lambda file: replace(file, "lengths", [1, 2]),
        "its attributes do not say what the file holds .*2 lengths, but the input had 9 sequences",
    ),
    "lengths that are not whole": (
        lambda file: replace(file, "lengths", np.ones(9)),
        r"lengths of shape \(9,\) and dtype float64",
    ),
    "no cell type": (lambda file: file.attrs.pop("cell_type"), "its attributes do not say what the file holds"),
    "an unknown cell": (lambda file: file.attrs.modify("cell_type", "elm"), "a cell 'elm' that runs 'forward'"),
    "an unknown layout": (lambda file: file.attrs.modify("layout", "heap"), "layout 'heap', padding 'post'"),
    "no such group": (lambda file: file.attrs.create("layers", ["layer7"]), "no group 'layer7'"),
    "no provenance": (lambda file: file.attrs.modify("provenance", "{"), "out.h5: HDF5 cannot read it"),
    "no format": (lambda file: file.attrs.pop("format"), "not a states file"),
    "a later version": (lambda file: file.attrs.modify("format_version", 2), "format version 2; this rnnstates reads"),
    "values elsewhere": (
        lambda file: file.pop("cell") and file.create_dataset("cell", (9, 8, 5), "<f4", external=[("x", 0, 1440)]),
        r"'cell': its values lie in another file \(x\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURE)
def test_what_is_missing_or_of_another_shape_is_found(place, name):
    damage, message = STRUCTURE[name]
    make()
    change(damage)
    wrong(message)


def test_everything_that_is_missing_is_told_at_once(place):
    make()
    change(lambda file: [file.pop(name) for name in list(file) if name.startswith(("cell_", "hidden"))])
    wrong(r"dataset 'hidden' is missing.*'hidden_mean' is missing.*; and \d+ more\. The file is damaged or was ")


def edit_provenance(**values):
    with h5py.File("out.h5", "r+") as file:
        made = json.loads(file.attrs["provenance"])
        for name, value in values.items():
            if value is None:
                del made[name]
            else:
                made[name] = value
        file.attrs["provenance"] = json.dumps(made)


def test_a_file_that_does_not_say_enough_is_refused(place):
    make()
    edit_provenance(dtype=None, ids=None)
    wrong("its provenance lacks dtype, ids; expected all that this rnnstates records. It was made by an older one")


def test_an_unknown_pooling_state_or_precision_is_refused(place):
    make()
    edit_provenance(pool=["median"])
    wrong("pooling 'median'")
    edit_provenance(pool=["mean"], states=["mood"])
    wrong("state 'mood'")
    edit_provenance(states=["hidden"], precision="int8")
    wrong("was computed in 'int8'; this rnnstates judges float64, float32, bfloat16. Update it")


def test_bfloat16_is_judged_at_a_loose_bound(place):
    make(pool="none")
    edit_provenance(precision="bfloat16")
    with h5py.File("out.h5", "r+") as file:
        file["hidden"][0, 0, 0] += 0.01
    assert 0.009 < right()["datasets"]["hidden"]["recomputed"] < 0.011
    edit("hidden", (0, 0, 0), 5.0)
    wrong("'hidden' is not what float64 gives in sequence 0")


@pytest.mark.parametrize("keep", [0, 1000, 4000])
def test_a_truncated_file_is_found(place, keep):
    make()
    Path("out.h5").write_bytes(Path("out.h5").read_bytes()[:keep])
    wrong("out.h5: (not an HDF5 file|HDF5 cannot open it)")


def test_no_file_and_an_unfinished_one_are_told(place):
    wrong("no.h5: no such file", MissingInput, path="no.h5")
    make()
    Path("out.h5").rename("out.h5.partial")
    wrong("the unfinished output of a run", path="out.h5.partial")


# What it was made from.


def test_the_sample_has_the_longest_and_the_shortest_and_is_the_same_for_a_seed(place):
    lengths = np.array([3, 8, 0, 5, 5, 5, 1, 5, 5])
    make("in.h5", lengths)
    assert rnnstates.verify("out.h5", sample=1)["recomputed"] == [1]
    assert rnnstates.verify("out.h5", sample=2)["recomputed"] == [1, 6]
    chosen = [rnnstates.verify("out.h5", sample=4, seed=seed)["recomputed"] for seed in (0, 0, 1, 2, 3)]
    assert chosen[0] == chosen[1]
    assert len({tuple(rows) for rows in chosen}) > 1
    assert all({1, 6} < set(rows) and len(rows) == 4 and 2 not in rows for rows in chosen)


def test_a_sample_of_none_looks_at_the_file_alone(place):
    make()
    found = rnnstates.verify("out.h5", sample=0)
    assert (found["recomputed"], found["reason"]) == ([], "a sample of 0 was asked for")
    assert found["datasets"]["hidden_last"] == {"recomputed": None, "pooled": 0.0}


def test_a_changed_input_is_refused_with_both_values(place):
    make()
    with h5py.File("in.h5", "r+") as file:
        file["inputs"][0, 0, 0] = 9.0
    wrong(
        "^in.h5: is not the input that out.h5 was made from: sample_sha256 is [0-9a-f]{64}, was [0-9a-f]{64}. Give the "
        "input as it was with --inputs FILE, or extract again",
        BadInput,
    )
    np.save("in.npy", INPUTS)
    Path("in.npy").rename("in.h5")
    wrong(
        r"^in.h5: .* The input that out.h5 was made from had \d+ bytes of hdf5; give it with --inputs FILE.", BadInput
    )


def test_changed_weights_are_refused_with_both_digests(place):
    make()
    Path("w.weights.h5").unlink()
    rnnstates.save_weights(one_layer(seed=1), "w.weights.h5")
    wrong(
        "^w.weights.h5: are not the weights that out.h5 was made with: SHA-256 is [0-9a-f]{64}, was [0-9a-f]{64}. G",
        BadWeights,
    )


def test_a_changed_initial_state_is_refused_with_both_values(place):
    np.savez("start.npz", hidden=np.ones(5))
    make(initial_state="start.npz")
    np.savez("start.npz", hidden=np.zeros(5))
    wrong("^start.npz: is not the initial state that out.h5 was made with: sample_sha256 is .*, was", BadInput)
    Path("start.npz").unlink()
    assert (
        "the initial states start.npz are not there; give them with --initial" in rnnstates.verify("out.h5")["reason"]
    )


def test_what_is_not_there_is_the_reason_why_nothing_is_recomputed(place):
    make()
    Path("in.h5").unlink()
    Path("w.weights.h5").unlink()
    found = rnnstates.verify("out.h5")
    assert found["recomputed"] == []
    assert found["reason"] == (
        "the input in.h5 is not there; give it with --inputs FILE; the weights w.weights.h5 are not there; give them "
        "with --weights FILE"
    )


def test_a_pipe_of_the_recorded_name_is_not_waited_for(place):
    make()
    for name in ("in.h5", "w.weights.h5"):
        Path(name).unlink()
        os.mkfifo(name)
    assert "the input in.h5 is not there" in rnnstates.verify("out.h5")["reason"]


def test_weights_that_need_what_is_not_installed_are_the_reason(place, monkeypatch):
    torch = pytest.importorskip("torch")
    state = {"weight_ih_l0": torch.ones(20, 3), "weight_hh_l0": torch.ones(20, 5), "bias_ih_l0": torch.zeros(20),
             "bias_hh_l0": torch.zeros(20)}  # fmt: skip
    torch.save(state, "w.pt")
    make(weights="w.pt")
    right()
    monkeypatch.setitem(sys.modules, "torch", None)
    assert rnnstates.verify("out.h5")["reason"].startswith("the weights cannot be read here: ")


def test_what_came_in_memory_is_the_reason_and_may_be_given(place):
    start = {"hidden": np.ones(5), "cell": np.full((9, 5), 0.5)}
    make(INPUTS, LENGTHS, weights=one_layer(), initial_state=start)
    assert rnnstates.verify("out.h5")["reason"] == (
        "the input was an array in memory; give it with --inputs FILE; the initial states were arrays in memory; give "
        "them with --initial-state FILE; the weights were arrays in memory; give them with --weights FILE"
    )
    assert right(inputs=INPUTS, weights=one_layer(), initial_state=start)["notes"] == []
    with open("in.npy", "wb") as file:
        np.save(file, INPUTS)
    with open("in.npy", "rb") as stream:
        make(stream, LENGTHS, force=True)
    assert rnnstates.verify("out.h5")["reason"] == "the input came through a pipe; give it with --inputs FILE"


def test_files_that_moved_along_with_the_output_are_found_beside_it(place, monkeypatch):
    np.savez("start.npz", hidden=np.ones(5))
    make(initial_state="start.npz")
    monkeypatch.chdir("/")
    right(place / "out.h5")


def test_another_file_of_the_recorded_name_does_not_hide_the_right_one(place, monkeypatch):
    make()
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with h5py.File("in.h5", "w") as file:
        file["inputs"] = np.ones((2, 2, 3))
    rnnstates.save_weights(one_layer(seed=3), "w.weights.h5")
    right(place / "out.h5")


def test_the_same_in_other_files_is_compared_with_a_note(place):
    make()
    np.save("in.npy", INPUTS)
    rnnstates.save_weights(one_layer(), "w.safetensors")
    found = right(inputs="in.npy", weights="w.safetensors")
    assert re.match(
        "in.npy: is another file than the states were made from .kind is npy, was hdf5; ", found["notes"][0]
    )
    assert found["notes"][1] == "w.safetensors: is another file than the states were made with; compared all the same."


def test_given_files_that_do_not_fit_are_refused(place):
    make()
    np.save("short.npy", INPUTS[:4])
    wrong(
        r"short.npy: has shape \(4, 8, 3\); expected \(9, 8, 3\), the shape of what out.h5 was made from",
        BadInput, inputs="short.npy",
    )  # fmt: skip
    wrong("no.npy: no such file", MissingInput, inputs="no.npy")
    wrong("no.keras: no such file", MissingInput, weights="no.keras")
    rnnstates.save_weights(one_layer(units=4), "four.weights.h5")
    wrong(
        "four.weights.h5: are / forward lstm 4 units; expected / forward lstm 5 units, which out.h5 was made with",
        BadWeights, weights="four.weights.h5",
    )  # fmt: skip
    with open("in.h5", "rb") as stream:
        wrong("inputs|stream|standard input", BadInput, inputs=stream)


def test_a_stream_is_refused_because_it_has_no_single_sequences(place):
    make()
    np.save("in.npy", INPUTS)
    with open("in.npy", "rb") as stream:
        wrong("a stream, of which no single sequences can be read; save it to a file", BadInput, inputs=stream)


def test_other_weights_of_the_same_shape_are_found_wrong(place):
    make()
    wrong("'hidden' is not what float64 gives in 8 sequences, the first 0 .*or input or weights are not those it was ",
          weights=one_layer(seed=1))  # fmt: skip


def test_options_that_mean_nothing_are_refused(place):
    make()
    wrong("--sample -1: expected 0 or more", OptionError, sample=-1)
    wrong("--seed -1: expected 0 to 4294967295", OptionError, seed=-1)
    wrong("--initial-state: out.h5 was made without one; leave it away", OptionError, initial_state="x.npz")


# Second implementations beside the first.


@pytest.mark.parametrize("states", [[], ["hidden", "cell"], list(STATES)])
@pytest.mark.parametrize("cell", [*CELLS, "stack", "projection"])
def test_the_promise_is_what_a_run_plans(cell, states):
    network = {"stack": bidirectional_stack(), "projection": NETWORKS["a projection"]}.get(cell)
    network = network or Network((RecurrentLayer(cell, forward=cell_weights(cell, 3, 5)),))
    types = {"dtype": np.dtype("f4"), "precision": np.dtype("f4")}
    planned = plan_datasets(network, Shape(LENGTHS, 8), states=states, pool=list(POOLINGS), **types)
    promised = [
        (f"{part.path}/{state}".strip("/") + (f"_{pooling}" if pooling else ""), part.width(state))
        for path, _, direction, weights in network.parts()
        for part in [Part(path, weights.cell, direction, weights.units, weights.width)]
        for state, pooling in part.names(states, list(POOLINGS))
    ]
    assert promised == [(spec.name, spec.width) for spec in planned]


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("name", POOLINGS)
def test_pooling_in_pieces_is_pooling_at_once(name, direction):
    values = np.random.default_rng(0).normal(size=(1, 40, 3)) + 5
    running = Running(1, 3)
    for start, stop in ((0, 1), (1, 1), (1, 20), (20, 40)):
        running.add(blocks.Block(slice(0, 1), np.array([stop - start]), start, values[0, start:stop], {}))
    expected = pool(name, values, np.array([40]), direction=direction)
    np.testing.assert_allclose(running.pooled(name, direction), expected, rtol=1e-13)


def test_a_difference_is_none_between_equal_infinities_only():
    stored = np.array([1.5, np.nan, np.inf, np.inf, -np.inf, np.nan, 1.0], np.float16)
    expected = np.array([1.0, np.nan, 1e6, 1.0, 1e6, 1.0, np.inf])
    assert difference(stored, expected).tolist() == [0.5, 0, 0, np.inf, np.inf, np.inf, np.inf]
