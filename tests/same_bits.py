"""``python -m tests.same_bits --before COMMIT``: forty jobs give the same bits here as in an earlier commit.

Every engine, layout, padding, precision and cell, in memory and to a file. It uses public names only, so that it runs
on any layout of the package; both run on this machine, because bits may differ between processors.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1, "mlstm": 4}
FEATURES, UNITS = 7, 20

# Options of a layer, by a name that says what is special about it.
LAYERS = {
    "lstm": {},
    "lstm peepholes": {"peepholes": (3, UNITS)},
    "lstm projection": {"projection": (UNITS, 11), "cell_clip": 1.5, "projection_clip": 0.5},
    "lstm coupled": {"coupled": True},
    "lstm hard": {"recurrent_activation": "hard_sigmoid"},
    "lstm start": {"initial": {"hidden": (UNITS,), "cell": (UNITS,)}},
    "gru": {"reset_after": True, "recurrent_bias": (3 * UNITS,)},
    "gru before": {"reset_after": False},
    "simple_rnn": {"activation": "relu"},
    "mlstm": {"factors": ((FEATURES, UNITS), (UNITS, UNITS))},
}
STORED = [
    {"layout": "packed", "states": "hidden", "pool": "mean,max,last"},
    {"padding": "pre", "pool": "none"},
    {"precision": "float64", "dtype": "float16"},
    {"threads": 2, "memory": "2M"},
    {"states": "state,candidate", "pool": "none"},
]


def drawn(random, wanted):
    """Random arrays where a shape is wanted."""
    if isinstance(wanted, dict):
        return {name: drawn(random, shape) for name, shape in wanted.items()}
    if isinstance(wanted, tuple) and all(isinstance(part, tuple) for part in wanted):
        return tuple(drawn(random, shape) for shape in wanted)
    return random.normal(size=wanted) * 0.4 if isinstance(wanted, tuple) else wanted


def weights(rnnstates, name, features=FEATURES, seed=0):
    cell, random = name.split()[0], np.random.default_rng(seed)
    options = {key: drawn(random, wanted) for key, wanted in LAYERS[name].items()}
    width = options["projection"].shape[1] if "projection" in options else UNITS
    columns = GATES[cell] * UNITS
    arrays = [random.normal(size=shape) * 0.4 for shape in ((features, columns), (width, columns), (columns,))]
    return rnnstates.LayerWeights(*arrays, cell=cell, **options)


def networks(rnnstates):
    one = {name: rnnstates.Network((rnnstates.RecurrentLayer("one", weights(rnnstates, name)),)) for name in LAYERS}
    both = [weights(rnnstates, "lstm", seed=1), weights(rnnstates, "lstm peepholes", seed=2)]
    second = weights(rnnstates, "gru", features=2 * UNITS, seed=3)
    layers = rnnstates.RecurrentLayer("low", *both), rnnstates.RecurrentLayer("high", second)
    return {**one, "stack": rnnstates.Network(layers)}


def jobs(rnnstates):
    """Yield a name, the network and the options of each job."""
    made = networks(rnnstates)
    for name, network in made.items():
        for engine in ("auto", "numpy", "tensorflow"):
            yield f"{name}, {engine}", network, {"engine": engine}
    for options in STORED:
        for name in ("lstm", "stack"):
            if "candidate" not in options.get("states", "") or name == "lstm":
                yield f"{name}, {options}", made[name], options


def inputs():
    random = np.random.default_rng(5)
    lengths = random.integers(0, 24, size=37)
    lengths[0], lengths[1] = 23, 0
    return random.normal(size=(37, 23, FEATURES)).astype(np.float32), lengths


def digests(folder):
    import rnnstates

    values, lengths = inputs()
    found = {}
    for number, (name, network, options) in enumerate(jobs(rnnstates)):
        output = Path(folder, f"{number}.h5") if number % 2 else None
        states = rnnstates.extract(values, lengths, weights=network, output=output, **options)
        parts = hashlib.sha256()
        for key in sorted(states.datasets):
            array = np.asarray(states[key])
            parts.update(f"{key} {array.dtype} {array.shape}".encode() + array.tobytes())
        found[name] = parts.hexdigest()
    return found


def in_checkout(checkout):
    """Run the jobs with the package of a checkout, in a process of their own."""
    paths = os.pathsep.join(str(checkout / part) for part in ("extractor", "cli"))
    command = [sys.executable, str(Path(__file__)), "--print"]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, cwd=checkout, env={**os.environ, "PYTHONPATH": paths}
    )
    return json.loads(done.stdout)


def checked_out(commit, folder):
    """Unpack and build a commit."""
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--target", str(folder / "built"), str(folder)], check=True)
    for package, part in (("rnnstates", "extractor"), ("rnnstates_cli", "cli")):
        shutil.rmtree(folder / part / package)
        shutil.move(folder / "built" / package, folder / part / package)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", metavar="COMMIT")
    parser.add_argument("--print", action="store_true", help="print the digests of the package that is imported")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.print:
            print(json.dumps(digests(folder)))
            return 0
        before, now = in_checkout(checked_out(options.before, Path(folder))), in_checkout(ROOT)
    others = [name for name in before.keys() | now.keys() if before.get(name) != now.get(name)]
    print(f"{len(now)} jobs, {len(others)} of them with other bits than at {options.before}", *others, sep="\n")
    return len(others) > 0


if __name__ == "__main__":
    sys.exit(main())
