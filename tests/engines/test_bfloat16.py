"""Products in bfloat16: how near, whether they really are, and where they are refused."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import rnnstates
from rnnstates.engines.choice import make_engine
from rnnstates.engines.tensorflow import bfloat16
from rnnstates.engines.tensorflow.blocks import BlockUnroll
from rnnstates.engines.tensorflow.mixed import FEWEST, MixedBlock
from rnnstates.engines.tensorflow.packed import PackedUnroll
from rnnstates.network.cells import CELLS

from ..builders import cell_weights, layer_weights
from .test_fused import CASES, LENGTHS, Poisoned, tile


@pytest.fixture
def worthwhile(monkeypatch):
    """A machine where products in bfloat16 can be had and are worth it."""
    monkeypatch.setattr(bfloat16, "cpu_flags", lambda: frozenset({"avx512_bf16"}))
    monkeypatch.setattr(bfloat16, "_seconds", lambda multiply: (2.0, 1.0))


def assert_rounded(weights, initial=None):
    """It is near float64, and not float32."""
    gates = CELLS[weights.cell].gates._fields
    unroll = make_engine("tensorflow", "bfloat16").unroll(weights, gates)
    inputs, lengths = tile(weights.features)
    found = unroll(inputs, lengths, initial, Poisoned())
    exact = make_engine("numpy", "float64").unroll(weights, gates)(inputs.astype(np.float64), lengths, initial)
    plain = make_engine("tensorflow", "float32").unroll(weights, gates)(inputs, lengths, initial)
    for name, values in exact.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], values, rtol=0, atol=2e-2, err_msg=name)
        assert np.abs(found[name] - plain[name]).max() > 1e-4, name
        for row, length in enumerate(lengths):
            assert not found[name][row, length:].any(), name
    return unroll


@pytest.mark.usefixtures("worthwhile")
@pytest.mark.parametrize("case", CASES)
def test_an_lstm_is_near_and_really_in_bfloat16(case):
    unroll = assert_rounded(layer_weights(3, 5, **CASES[case]))
    assert isinstance(unroll, BlockUnroll)
    assert unroll.executor == "mixed"


@pytest.mark.usefixtures("worthwhile")
def test_it_starts_from_the_states_it_is_given():
    random = np.random.default_rng(3)
    rows = len(LENGTHS)
    assert_rounded(
        layer_weights(3, 5), {"hidden": random.normal(size=(rows, 5)), "cell": random.normal(size=(rows, 5))}
    )


@pytest.mark.usefixtures("worthwhile")
@pytest.mark.parametrize("cell", ["gru", "mlstm", "simple_rnn"])
def test_other_cells_are_near_and_really_in_bfloat16(cell):
    assert isinstance(assert_rounded(cell_weights(cell, 3, 5)), PackedUnroll)


@pytest.mark.usefixtures("worthwhile")
def test_the_cell_state_is_kept_in_float32():
    """A cell that only adds a little at each step would stand still at 1 in bfloat16, whose next number is 1.008."""
    weights = rnnstates.LayerWeights(
        np.zeros((1, 4)), np.zeros((1, 4)), np.array([-6.0, 30.0, 30.0, 30.0]), where="a slow one"
    )
    unroll = make_engine("tensorflow", "bfloat16").unroll(weights)
    cell = unroll(np.zeros((1, 900, 1), np.float32), np.array([900]))["cell"][0, :, 0]
    assert cell[-1] > 2
    np.testing.assert_allclose(np.diff(cell), cell[0], rtol=1e-3)


def test_xla_meets_few_shapes_which_depend_on_the_live_rows_only():
    rows = [MixedBlock.rows(None, live) for live in range(1, 257)]
    assert all(made >= live for live, made in enumerate(rows, 1))
    assert rows == sorted(rows)
    assert set(rows) == {FEWEST, 24, 32, 48, 64, 96, 128, 192, 256}


# Refusals.


def test_a_processor_without_it_is_told_so(monkeypatch):
    monkeypatch.setattr(bfloat16, "cpu_flags", lambda: frozenset({"avx2", "fma"}))
    with pytest.raises(
        rnnstates.EngineUnavailable,
        match=r"precision=\"bfloat16\": this processor has neither avx512_bf16 nor amx_bf16.*use precision=\"float32\"",
    ):
        make_engine("tensorflow", "bfloat16")
    assert bfloat16.unavailable(lambda precision: None, "1 x 1") == bfloat16.unsupported()


def test_a_layer_without_gain_is_told_so_with_the_ratio(monkeypatch):
    monkeypatch.setattr(bfloat16, "cpu_flags", lambda: frozenset({"amx_bf16"}))
    monkeypatch.setattr(bfloat16, "_seconds", lambda multiply: (1.0, 1.3))
    engine = make_engine("tensorflow", "bfloat16")
    with pytest.raises(
        rnnstates.EngineUnavailable,
        match=r"take 1\.3 times as long as float32 ones at this layer's size \(64 x 8 by 8 x 20\), so there",
    ):
        engine.unroll(layer_weights(3, 5))


def test_nothing_known_of_the_processor_leaves_it_to_the_measurement(monkeypatch, tmp_path):
    monkeypatch.setattr(bfloat16, "CPUINFO", tmp_path / "absent")
    assert bfloat16.cpu_flags() is None
    assert bfloat16.unsupported() is None


@pytest.mark.parametrize("line", ["flags\t\t: fpu avx512_bf16", "Features\t: fp asimd bf16"])
def test_flags_are_read_as_linux_writes_them(line, monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{line}\n\nprocessor\t: 1\nflags\t: none\n")
    monkeypatch.setattr(bfloat16, "CPUINFO", tmp_path / "cpuinfo")
    assert bfloat16.unsupported() is None


def test_the_measurement_takes_the_best_of_each_in_turns(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(bfloat16.time, "perf_counter", lambda: clock[0])
    calls = []

    def multiply(precision):
        calls.append(precision)
        clock[0] += {"float32": 0.25, "bfloat16": 0.5}[precision] * (3 if len(calls) == 3 else 1)

    assert "take 2.0 times as long" in bfloat16.unprofitable(multiply, "1 x 1")
    assert calls == ["float32", "bfloat16"] * (bfloat16.TIMES + 1) * bfloat16.ROUNDS


def test_one_bad_measurement_on_a_busy_machine_refuses_nothing(monkeypatch):
    measured = iter([(1.0, 1.3), (1.0, 1.1), (1.0, 0.7)])
    monkeypatch.setattr(bfloat16, "_seconds", lambda multiply: next(measured))
    assert bfloat16.unprofitable(lambda precision: None, "1 x 1") is None


def test_neither_the_log_of_xla_nor_warnings_of_functions_made_often_reach_the_user():
    script = """
        import numpy as np
        from rnnstates.network import bfloat16
        bfloat16.unsupported = lambda: None
        bfloat16._seconds = lambda multiply: (2.0, 1.0)
        from rnnstates.engines.choice import make_engine
        from tests.builders import cell_weights
        for precision, cell in 7 * [("bfloat16", "lstm"), ("float32", "gru")]:
            unroll = make_engine("tensorflow", precision).unroll(cell_weights(cell, 3, 5))
            for rows in (2, 20):
                unroll(np.ones((rows, 3, 3), "f4"), np.full(rows, 3))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stderr == ""
