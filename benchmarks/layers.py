"""The Keras layer against Keras' own: ``python benchmarks/layers.py``, results in ``benchmarks/results/layers.*``.

Forward, and forward and backward (gradients of weights and inputs, the loss touching every state that is given), of one
batch, in graphs that are traced before the clock starts. Keras' LSTM gives the hidden states; the original answer, an
``RNN`` of a cell that puts out [c, h], and ``StateLSTM`` give both. ``graph`` is what ``fit`` does with a model of
Keras' LSTM by default; for ``XLA`` StateLSTM is made with ``fused=False``. Ragged batches have lengths from a tenth to
all of the steps: Keras gets the mask, StateLSTM the lengths. All take turns; medians and the least of the runs.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from child import markdown
from peers.keras_layers import _state_rnn

from rnnstates.keras import StateLSTM
from rnnstates.keras.started import keras, tf

RESULTS = Path(__file__).parent / "results"
# Sequences of a batch, steps, features, units.
CASES = [(32, 100, 8, 64), (128, 100, 32, 128), (64, 100, 64, 256), (32, 50, 128, 512)]
OURS = "StateLSTM, h and c"


class Way(NamedTuple):
    """One way to run a layer: functions of the inputs alone."""

    forward: Callable[[Any], Any]
    both: Callable[[Any], Any]


def contestants(units: int, lengths: Any, steps: int) -> dict[str, tuple[Any, Callable[[Any], Any]]]:
    """Give, by name, a layer and the function from inputs to the list of states it gives."""
    mask = None if lengths is None else tf.sequence_mask(lengths, steps)
    lstm, cell = keras.layers.LSTM(units, return_sequences=True), _state_rnn(units)
    fused, looped = StateLSTM(units), StateLSTM(units, fused=False)
    return {
        "Keras LSTM, h": (lstm, lambda inputs: [lstm(inputs, mask=mask)]),
        "Keras RNN of a state cell, h and c": (cell, lambda inputs: [cell(inputs, mask=mask)]),
        OURS: (fused, lambda inputs: list(fused(inputs, lengths))),
        f"{OURS}; XLA": (looped, lambda inputs: list(looped(inputs, lengths))),
    }


def ways(units: int, lengths: Any, inputs: Any) -> dict[str, Way]:
    """Trace everything; the same weights for all."""
    made = {}
    arrays: list[Any] | None = None
    for name, (layer, run) in contestants(units, lengths, inputs.shape[1]).items():
        run(inputs[:2]) if lengths is None else layer.build(inputs.shape)
        arrays = arrays or layer.get_weights()
        layer.set_weights(arrays)
        for compiled in (False, True):
            if name.startswith(OURS) and compiled != name.endswith("XLA"):
                continue
            called = name if name.endswith("XLA") or not compiled else f"{name}; XLA"
            made[called] = _way(layer, run, jit_compile=compiled)
    return made


def _way(layer: Any, run: Callable[[Any], Any], *, jit_compile: bool) -> Way:
    def both(inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = sum(tf.reduce_sum(values * values) for values in run(inputs))
        return tape.gradient(loss, [inputs, *(weight.value for weight in layer.trainable_variables)])

    graph = {"jit_compile": jit_compile, "autograph": False}
    return Way(tf.function(run, **graph), tf.function(both, **graph))


def measure(case: tuple[int, int, int, int], *, ragged: bool, runs: int) -> dict[str, dict[str, list[float]]]:
    """Give the seconds of each run, by name and then by ``forward`` and ``both``."""
    rows, steps, features, units = case
    random = np.random.default_rng(0)
    inputs = tf.constant(random.normal(size=(rows, steps, features)), tf.float32)
    lengths = tf.constant(random.integers(steps // 10, steps + 1, rows), tf.int32) if ragged else None
    made = ways(units, lengths, inputs)
    seconds: dict[str, dict[str, list[float]]] = {name: {"forward": [], "both": []} for name in made}
    for turn in range(runs + 1):
        for name, way in made.items():
            for what, function in way._asdict().items():
                taken = _seconds(function, inputs)
                # The first traces and compiles.
                if turn:
                    seconds[name][what].append(taken)
    return seconds


def _seconds(function: Callable[[Any], Any], inputs: Any) -> float:
    start = time.perf_counter()
    for values in function(inputs):
        values.numpy()
    return time.perf_counter() - start


def table(results: dict[str, dict[str, dict[str, list[float]]]], what: str) -> str:
    """Give milliseconds as ``median (least)``, one column a case."""
    names = list(next(iter(results.values())))
    rows = []
    for name in names:
        of_name = [results[case][name][what] for case in results]
        rows.append([name, *(f"{1e3 * statistics.median(s):.1f} ({1e3 * min(s):.1f})" for s in of_name)])
    for other in ("Keras LSTM, h", "Keras RNN of a state cell, h and c"):
        ratios = [_ratio(results[case], other, what) for case in results]
        rows.append([f"{other}, against {OURS}", *ratios])
    return markdown([f"{what}, ms", *results], rows)


def _ratio(of_case: dict[str, dict[str, list[float]]], other: str, what: str) -> str:
    theirs, ours = of_case[other][what], of_case[OURS][what]
    return f"{statistics.median(theirs) / statistics.median(ours):.2f} ({min(theirs) / min(ours):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="one small case, three runs, nothing written")
    asked = parser.parse_args()
    cases, runs = (CASES[:1], 3) if asked.quick else (CASES, asked.runs)
    results = {
        f"{rows} x {steps}, {features} to {units}" + (", ragged" if ragged else ""): measure(
            (rows, steps, features, units), ragged=ragged, runs=runs
        )
        for rows, steps, features, units in cases
        for ragged in (False, True)
    }
    told = "\n\n".join([table(results, "forward"), table(results, "both")])
    print(told)
    if not asked.quick:
        versions = f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {runs} runs in turns.\n"
        (RESULTS / "layers.md").write_text(f"# Layers\n\nMedians (least). {versions}\n{told}\n")
        (RESULTS / "layers.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
