"""A process that already uses TensorFlow, and one where TensorFlow does not start."""

import functools
import subprocess
import sys
import textwrap

import pytest

from ..forking import Run, run_each

SCRIPTS = {
    "beside a model in use": """
        import numpy as np, tensorflow as tf, keras
        tf.config.threading.set_intra_op_parallelism_threads(2)
        tf.config.experimental.enable_tensor_float_32_execution(True)
        tf.random.set_seed(3)
        model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4, return_sequences=True)])
        inputs = np.ones((2, 5, 3), "f4")
        before = np.array(model(inputs))

        import rnnstates
        weights = rnnstates.LayerWeights(*model.get_weights())
        network = rnnstates.Network((rnnstates.RecurrentLayer("lstm", forward=weights),))
        states = rnnstates.extract(inputs, "full", weights=network, engine="tensorflow")
        np.testing.assert_allclose(states["hidden"], before, atol=1e-6)
        np.testing.assert_array_equal(np.array(model(inputs)), before)
        assert tf.config.experimental.tensor_float_32_execution_enabled()
        assert tf.config.threading.get_intra_op_parallelism_threads() == 2
        assert keras.config.floatx() == "float32"
        assert tf.executing_eagerly()

        # And training goes on.
        model.compile("sgd", "mse")
        model.fit(inputs, np.ones((2, 5, 4), "f4"), verbose=0)
        assert not np.allclose(np.array(model(inputs)), before)
        """,
    "inside a graph": """
        import numpy as np, tensorflow as tf, rnnstates
        inputs = np.random.default_rng(0).normal(size=(2, 5, 3))
        expected = rnnstates.extract(inputs, "full", engine="numpy", precision="float64")["cell"]
        with tf.Graph().as_default():
            found = rnnstates.extract(inputs, "full", engine="tensorflow", precision="float64")["cell"]
        np.testing.assert_allclose(found, expected, atol=1e-12)
        assert tf.config.threading.get_intra_op_parallelism_threads() == 0
        """,
    "without eager execution": """
        import tensorflow as tf, numpy as np, rnnstates
        tf.compat.v1.disable_eager_execution()
        try:
            rnnstates.extract(np.ones((1, 2, 3)), "full", engine="tensorflow")
        except rnnstates.EngineUnavailable as error:
            assert 'engine="numpy"' in str(error)
        else:
            raise SystemExit("no error")
        """,
}


@functools.cache
def ended():
    """How each script ended, begun where TensorFlow was imported by somebody else."""
    scripts = [Run(textwrap.dedent(script)) for script in SCRIPTS.values()]
    return dict(zip(SCRIPTS, run_each("import keras, tensorflow", scripts)[1], strict=True))


def test_extract_works_beside_a_model_in_use_and_leaves_its_settings():
    assert ended()["beside a model in use"].returncode == 0, ended()["beside a model in use"].stderr


def test_extract_inside_a_graph_of_tensorflow_1_runs_and_an_import_before_ours_keeps_its_threads():
    assert ended()["inside a graph"].returncode == 0, ended()["inside a graph"].stderr


def test_without_eager_execution_an_alternative_is_named():
    assert ended()["without eager execution"].returncode == 0, ended()["without eager execution"].stderr


def test_a_tensorflow_that_cannot_be_imported_is_reported_with_an_alternative(tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('no such library')")
    script = f"""
    import sys
    sys.path.insert(0, {str(tmp_path)!r})
    import numpy as np, rnnstates
    try:
        rnnstates.extract(np.ones((1, 2, 3)), "full", engine="tensorflow")
    except rnnstates.EngineUnavailable as error:
        assert "cannot be imported (no such library)" in str(error) and 'engine="numpy"' in str(error)
    else:
        raise SystemExit("no error")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], timeout=120, check=True)


@pytest.mark.framework
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_an_engine_of_the_same_name_may_be_started_twice(precision):
    from rnnstates.engines.choice import make_engine

    assert make_engine("tensorflow", precision) is not make_engine("tensorflow", precision)
