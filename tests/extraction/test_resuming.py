"""A run that goes on from what another left: which job it must be, what is computed again, what comes out."""

import io
import os

import numpy as np
import pytest

import rnnstates
from rnnstates import LayerWeights, Network, RecurrentLayer
from rnnstates.extraction import schedule

from ..builders import bidirectional_stack, embedded, layer_weights, one_layer
from ..interrupting import INPUTS, LENGTHS, contents, extract, interrupted, many_windows  # noqa: F401

pytestmark = pytest.mark.usefixtures("many_windows")


@pytest.fixture
def whole():
    """The bytes of an output that was never interrupted."""
    made = extract(output="whole.h5")
    os.remove("whole.h5")
    return made


def counted(monkeypatch):
    """Count the windows that are read to be computed."""
    read, count = schedule.read_window, []
    monkeypatch.setattr(schedule, "read_window", lambda job, window: count.append(window) or read(job, window))
    return count


def test_the_same_call_resumes_and_gives_the_bytes_of_a_run_that_was_never_interrupted(whole, monkeypatch):
    kept = interrupted()
    in_all = rnnstates.status("out.h5")["windows_in_all"]
    assert 0 < kept < in_all
    read = counted(monkeypatch)
    assert extract() == whole
    # Each by its rows; the steps of long ones are read in turns.
    assert len({window.rows.start for window in read}) == in_all - kept
    assert sorted(os.listdir()) == ["in.npy", "lengths.npy", "out.h5"]


def test_threads_memory_and_the_path_of_the_input_may_be_others(whole, tmp_path):
    interrupted(threads=2)
    again = extract(str(tmp_path / "in.npy"), threads=3, memory="100M")
    # All but the path in provenance, which is that of the first run.
    assert again == whole


def test_progress_begins_with_what_is_finished():
    interrupted()
    finished, reported = rnnstates.status("out.h5")["steps"], []
    extract(progress=lambda done, total: reported.append((done, total)))
    assert reported[0][0] > finished
    assert reported[-1] == (LENGTHS.sum(), LENGTHS.sum())


def test_values_too_large_are_counted_over_all_runs(caplog):
    plain = layer_weights(3, 5)
    large = LayerWeights(plain.kernel, plain.recurrent_kernel, plain.bias, activation="linear", forget_bias=50.0)
    network = Network((RecurrentLayer("lstm", forward=large),))
    huge, options = np.abs(INPUTS) * 1e5, {"weights": network, "dtype": "float16", "states": "cell"}
    extract(huge, LENGTHS, output="whole.h5", **options)
    expected = [text for text in caplog.messages if "too large" in text]
    assert expected
    caplog.clear()
    interrupted(huge, LENGTHS, **options)
    extract(huge, LENGTHS, **options)
    assert [text for text in caplog.messages if "too large" in text] == expected


OTHERS = {
    "weights": ({"weights": one_layer(seed=1)}, "weights.fingerprint was"),
    "units": ({"weights": None, "units": 3}, "weights.random was None, is {.*'units': 3}"),
    "states": ({"states": "cell"}, r"states was \['hidden', 'cell'\], is \['cell'\]"),
    "pool": ({"pool": "max"}, "pool was"),
    "layout": ({"layout": "packed"}, "layout was 'padded', is 'packed'"),
    "padding": ({"padding": "pre"}, "padding was 'post', is 'pre'"),
    "dtype": ({"dtype": "float16"}, "dtype was 'float32', is 'float16'"),
    "precision": ({"precision": "float64"}, "precision was 'float32', is 'float64'"),
    "ids": ({"ids": np.arange(50)}, "ids was None, is '[0-9a-f]{50}"),
    "initial": ({"initial_state": {"hidden": np.ones(5)}}, "initial_state was None, is"),
    "lengths": ({"lengths": "full"}, "lengths was '[0-9a-f]{50}.*, is '"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_job_is_refused_with_both_values_and_nothing_is_touched(name, whole):
    interrupted()
    before = contents()
    options, reported = OTHERS[name]
    with pytest.raises(rnnstates.DoesNotMatch, match=rf"out\.h5\.partial: was begun by a different job: .*{reported}"):
        extract(**options)
    assert contents() == before
    assert extract() == whole


def changed(array):
    array = array.copy()
    array[0, 0, 0] += 1
    return array


INPUT_CHANGES = {
    "other values": lambda: np.save("in.npy", changed(INPUTS)),
    "the same size and another time": lambda: os.utime("in.npy", ns=(0, 1)),
    "cut short": lambda: np.save("in.npy", INPUTS[:, :, :2]),
    "appended to": lambda: np.save("in.npy", np.concatenate([INPUTS, INPUTS])),
}


@pytest.mark.parametrize("name", INPUT_CHANGES)
def test_an_input_that_is_not_the_same_file_any_more_is_refused(name):
    interrupted()
    INPUT_CHANGES[name]()
    with pytest.raises((rnnstates.DoesNotMatch, rnnstates.BadData)):
        extract(weights=one_layer(features=2) if name == "cut short" else one_layer())
    assert rnnstates.status("out.h5")["windows"] > 0


def test_restart_throws_the_unfinished_work_away(monkeypatch):
    interrupted()
    read = counted(monkeypatch)
    extract(states="cell", restart=True)
    assert len(read) > 4
    assert sorted(os.listdir()) == ["in.npy", "lengths.npy", "out.h5"]


def stream(array):
    whole = io.BytesIO()
    np.save(whole, array)
    whole.seek(0)
    return whole


@pytest.mark.parametrize("given", [lambda array: array, stream], ids=["memory", "stream"])
def test_an_array_or_a_stream_is_resumed_if_it_is_the_same(given):
    whole = extract(given(INPUTS), LENGTHS, output="whole.h5")
    kept = interrupted(given(INPUTS), LENGTHS)
    assert kept > 0
    other = INPUTS.copy()
    # A value that no sample of the first, middle and last values need hold, in a window that is finished.
    other[2, 0, 1] += 1e-3
    with pytest.raises(rnnstates.DoesNotMatch):
        extract(given(other), LENGTHS)
    assert rnnstates.status("out.h5")["windows"] == kept
    assert extract(given(INPUTS), LENGTHS) == whole


def test_a_large_array_is_compared_beyond_its_sample(monkeypatch):
    monkeypatch.setattr("rnnstates.inputs.identity.SAMPLE_BYTES", 8)
    interrupted(INPUTS, LENGTHS)
    other = INPUTS.copy()
    other[2, 0, 1] += 1e-3
    with pytest.raises(rnnstates.DoesNotMatch, match=r"inputs: sequences 0 to \d+ are not those that the unfinished"):
        extract(other, LENGTHS)


@pytest.mark.parametrize("network", [bidirectional_stack(), embedded()], ids=["stack", "tokens"])
@pytest.mark.parametrize("layout", ["padded", "packed"])
@pytest.mark.parametrize("given", [lambda array: array, stream], ids=["memory", "stream"])
def test_any_network_is_resumed(network, layout, given):
    inputs = INPUTS if network.embedding is None else (np.abs(INPUTS[:, :, 0] * 10) % 5).astype(np.int32)
    options = {"weights": network, "layout": layout}
    whole = extract(given(inputs), LENGTHS, output="whole.h5", **options)
    assert interrupted(given(inputs), LENGTHS, **options) > 0
    assert extract(given(inputs), LENGTHS, **options) == whole


def test_weights_that_the_first_run_kept_are_no_obstacle(whole):
    interrupted(save_weights="kept.weights.h5")
    assert extract(save_weights="kept.weights.h5") == whole
    os.remove("out.h5")
    with pytest.raises(rnnstates.CannotCreate, match=r"kept\.weights\.h5: exists"):
        extract(weights=one_layer(seed=1), save_weights="kept.weights.h5")


def test_a_run_without_output_stops_without_a_trace():
    with pytest.raises(rnnstates.Stopped, match="so nothing was saved"):
        rnnstates.extract("in.npy", "lengths.npy", weights=one_layer(), max_runtime=1e-9)
    for wrong in (0, -1, float("nan")):
        with pytest.raises(rnnstates.OptionError, match="expected more than 0 seconds"):
            rnnstates.extract("in.npy", "lengths.npy", max_runtime=wrong)
    for endless in (float("inf"), 1e30, 10**300, "99999999999d", "9" * 400 + "d", "9" * 5000 + ":00"):
        rnnstates.extract("in.npy", "lengths.npy", weights=one_layer(), max_runtime=endless)
    with pytest.raises(rnnstates.OptionError, match="max_runtime='soon': not a duration; write 45m, 1h30m"):
        rnnstates.extract("in.npy", "lengths.npy", max_runtime="soon")


def test_a_run_whose_time_is_over_before_a_window_is_finished_keeps_nothing():
    with pytest.raises(rnnstates.Stopped, match="before one window of sequences was finished, so nothing was saved"):
        extract(max_runtime=1e-9)
    assert sorted(os.listdir()) == ["in.npy", "lengths.npy"]
