"""collect() into a file goes on where it was ended, like extract(), and refuses another job's work."""

import numpy as np
import pytest

import rnnstates
from rnnstates.collecting import collect as collecting
from rnnstates.collecting import recording
from rnnstates.collecting.running import Runner
from rnnstates.errors import DoesNotMatch, Stopped
from rnnstates.keras.started import keras
from rnnstates.output.recorder import Pace

from . import models
from .models import FEATURES, LENGTHS, randomise, shared

pytestmark = pytest.mark.usefixtures("traced_once")
ABOUT = {"command": "rnnstates", "started": None}


class EndedError(Exception):
    """What ends a run."""


@pytest.fixture
def small_windows(monkeypatch):
    """Two sequences a window, each recorded at once."""
    monkeypatch.setattr("rnnstates.collecting.prepare.WINDOW_BYTES", 1)
    monkeypatch.setattr(collecting, "PACE", Pace(0, 0))


def run(model, inputs, path, **options):
    return rnnstates.collect(model, inputs, LENGTHS, output=path, batch_size=2, provenance=ABOUT, **options)


def ended_after(monkeypatch, batches, model, path, inputs=FEATURES):
    """Run into an error; the first batch is that from which shapes are learnt."""
    left = iter(range(batches + 1))
    original = Runner.__call__

    def counted(self, given):
        if next(left, None) is None:
            raise EndedError
        return original(self, given)

    with monkeypatch.context() as patched, pytest.raises(EndedError):
        patched.setattr(Runner, "__call__", counted)
        run(model, inputs, path)


def test_the_same_call_resumes_to_the_same_bytes(tmp_path, small_windows, monkeypatch):
    model = shared(models.convolutional)
    run(model, FEATURES, tmp_path / "whole.h5").close()
    ended_after(monkeypatch, 2, model, tmp_path / "out.h5")
    assert rnnstates.status(tmp_path / "out.h5")["windows"] == 2
    run(model, FEATURES, tmp_path / "out.h5").close()
    assert (tmp_path / "out.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


@pytest.mark.parametrize("changed", ["weights", "architecture", "lengths", "inputs"])
def test_another_job_does_not_go_on_with_it(changed, tmp_path, small_windows, monkeypatch):
    model = models.convolutional() if changed in ("weights", "architecture") else shared(models.convolutional)
    ended_after(monkeypatch, 2, model, tmp_path / "out.h5")
    inputs, lengths = FEATURES.copy(), LENGTHS.copy()
    if changed == "weights":
        model.get_layer("lstm").cell.bias.assign_add(np.ones(20))
    elif changed == "architecture":
        model.layers[0].activation = keras.activations.gelu
    elif changed == "lengths":
        lengths[-1] += 1
    else:
        inputs[2, 5, 1] += 1
    with pytest.raises(DoesNotMatch):
        rnnstates.collect(model, inputs, lengths, output=tmp_path / "out.h5", batch_size=2, provenance=ABOUT)
    rnnstates.collect(
        model, inputs, lengths, output=tmp_path / "out.h5", batch_size=2, provenance=ABOUT, restart=True
    ).close()


def test_time_that_is_over_ends_a_run_that_can_go_on(tmp_path, small_windows):
    model = shared(models.convolutional)
    with pytest.raises(Stopped, match="before one window of sequences was finished"):
        run(model, FEATURES, tmp_path / "out.h5", max_runtime=0.001)
    assert not list(tmp_path.iterdir())


def test_progress_is_reported_in_steps(tmp_path, small_windows):
    reported = []
    run(
        shared(models.convolutional), FEATURES, tmp_path / "out.h5", progress=lambda *steps: reported.append(steps)
    ).close()
    assert reported == [(11, 27), (20, 27), (27, 27)]


def test_progress_after_resuming_begins_with_the_steps_that_are_finished(tmp_path, small_windows, monkeypatch):
    model, reported = shared(models.convolutional), []
    ended_after(monkeypatch, 2, model, tmp_path / "out.h5")
    finished = rnnstates.status(tmp_path / "out.h5")["steps"]
    run(model, FEATURES, tmp_path / "out.h5", progress=lambda *steps: reported.append(steps)).close()
    assert finished == 20
    assert reported == [(27, 27)]


@pytest.mark.parametrize("name, value", [("threads", 17), ("processor", "Elbrus"), ("gpus", ["H9000"])])
def test_tensorflow_that_computes_otherwise_does_not_resume(name, value, tmp_path, small_windows, monkeypatch):
    model = shared(models.convolutional)
    ended_after(monkeypatch, 2, model, tmp_path / "out.h5")
    known = recording.of_tensorflow
    monkeypatch.setattr(recording, "of_tensorflow", lambda tf: known(tf) | {name: value})
    with pytest.raises(DoesNotMatch, match=rf"another machine .*arithmetic\.tensorflow\.{name} was .+, is "):
        run(model, FEATURES, tmp_path / "out.h5")


def test_another_keras_does_not_resume(tmp_path, small_windows, monkeypatch):
    model = shared(models.convolutional)
    ended_after(monkeypatch, 2, model, tmp_path / "out.h5")
    monkeypatch.setattr(recording.keras, "__version__", "3.999")
    with pytest.raises(DoesNotMatch, match=r"arithmetic\.keras was '3\..*', is '3\.999'"):
        run(model, FEATURES, tmp_path / "out.h5")


def test_a_finished_output_of_the_same_model_and_inputs_is_skipped_and_of_others_refused(tmp_path, monkeypatch):
    model = randomise(models.convolutional())
    run(model, FEATURES, tmp_path / "out.h5").close()
    with monkeypatch.context() as patched:
        patched.setattr("rnnstates.collecting.windows.collect_windows", pytest.fail)
        with run(model, FEATURES, tmp_path / "out.h5", if_exists="skip") as states:
            assert states.skipped
    with pytest.raises(DoesNotMatch, match=r"was made by a different job: input\.sample_sha256 was"):
        run(model, FEATURES + (FEATURES.max() == FEATURES), tmp_path / "out.h5", if_exists="skip")
    with pytest.raises(DoesNotMatch, match=r"was made by a different job: .*weights_sha256 was"):
        run(randomise(models.convolutional(), 1), FEATURES, tmp_path / "out.h5", if_exists="skip")
    model.layers[0].activation = keras.activations.gelu
    with pytest.raises(DoesNotMatch, match=r"was made by a different job: .*architecture_sha256 was"):
        run(model, FEATURES, tmp_path / "out.h5", if_exists="skip")


def test_a_model_file_that_was_moved_is_the_same_model(tmp_path):
    shared(models.convolutional).save(tmp_path / "model.keras")
    run(tmp_path / "model.keras", FEATURES, tmp_path / "out.h5").close()
    (tmp_path / "model.keras").rename(tmp_path / "moved.keras")
    with run(tmp_path / "moved.keras", FEATURES, tmp_path / "out.h5", if_exists="skip") as states:
        assert states.skipped


def test_what_was_made_before_the_architecture_was_recorded_is_refused_with_the_reason(
    tmp_path, small_windows, monkeypatch
):
    model, known = shared(models.convolutional), recording.origin_of

    def as_before(*given):
        return {name: value for name, value in known(*given).items() if name != "architecture_sha256"}

    with monkeypatch.context() as patched:
        patched.setattr("rnnstates.collecting.prepare.origin_of", as_before)
        run(model, FEATURES, tmp_path / "finished.h5").close()
        ended_after(monkeypatch, 2, model, tmp_path / "begun.h5")
    with pytest.raises(
        DoesNotMatch, match=r"begun by rnnstates '.*', which did not record the architecture of the mod"
    ):
        run(model, FEATURES, tmp_path / "begun.h5")
    with pytest.raises(DoesNotMatch, match=r"made by a version of rnnstates that did not record the architecture of"):
        run(model, FEATURES, tmp_path / "finished.h5", if_exists="skip")
