"""The whole command against scripts that users would write: ``python benchmarks/commands.py [--runs 5]``.

Also ``--cases small,medium,large``, ``--scripts "torch LSTMCell"`` (the others are left out), ``--quick`` (one small
case, three runs), ``--folder`` (for the files meanwhile). Whole processes are timed, imports included, from the same
input files to a file on disk with the same datasets; all take turns. Writes results/commands.md and .json.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import cases
import check
import h5py
import numpy as np
import report
from bound import Bound, Bounds
from cases import CASES, SMALL_CASES, Case
from child import RNNSTATES, Measured, measure
from command_report import Row, as_json, text
from peers.base import Part
from peers.onnx_model import model_bytes
from timing import PAUSE, tell

import rnnstates

SCRIPTS = Path(__file__).with_name("scripts")
DEFAULT_CASES = "small,medium,large"

INTRODUCTION = """# Whole commands: from input files to a file on disk

{machine} {day}. Processes, imports included; all take turns, {runs} rounds after one that is checked. The scripts
(benchmarks/scripts/) write what rnnstates writes: states of every step, their means and last ones; those that give h
write half of it. The bound is max(computing in memory, writing to disk) + start, each measured in the same run."""


class Script(NamedTuple):
    """A script in scripts/, what it gives, and its words behind the four paths."""

    file: str
    gives: str
    weights: str = "weights.npz"
    words: tuple[str, ...] = ()


PEER_SCRIPTS = {
    "torch LSTMCell": Script("torch_cell.py", "c+h"),
    "torch nn.LSTM": Script("torch_lstm.py", "h"),
    "Keras state cell": Script("keras_cell.py", "c+h"),
    "Keras state cell with XLA": Script("keras_cell.py", "c+h", words=("XLA",)),
    "ONNX Runtime": Script("onnx_lstm.py", "h", "model.onnx"),
}


def commands(folder: Path, output: Path, scripts: Sequence[str]) -> dict[str, tuple[str, list[str]]]:
    """List what is run, by name: what it gives, and the words of the command."""
    inputs, lengths = str(folder / "inputs.npy"), str(folder / "lengths.npy")
    weights = ["--weights", str(folder / "weights.npz"), "--convention", "keras"]
    extract = [RNNSTATES, "extract", inputs, str(output), "--lengths", lengths, *weights]
    wanted = {f"rnnstates {engine}": ("c+h", [*extract, "--engine", engine]) for engine in ("auto", *rnnstates.ENGINES)}
    for name in scripts:
        script = PEER_SCRIPTS[name]
        paths = [inputs, lengths, str(folder / script.weights), str(output)]
        wanted[f"{name} script"] = (script.gives, [sys.executable, str(SCRIPTS / script.file), *paths, *script.words])
    return wanted


def contest(folder: Path, *, runs: int, scripts: Sequence[str]) -> tuple[dict[str, Row], dict[str, Bound]]:
    """Run every command once, checked, then ``runs`` times in turns; between the rounds measure the bounds."""
    output = folder / "states.h5"
    rows: dict[str, Row] = {}
    wanted = commands(folder, output, scripts)
    for name, (gives, words) in wanted.items():
        rows[name] = checked(gives, words, output, folder)
        tell(f"  {name}: {rows[name].failed or rows[name].difference}")
    limits = Bounds(folder)
    try:
        limits.choose()
        for _ in range(runs):
            one_round(wanted, rows, output)
            limits.sample()
        return rows, limits.found()
    finally:
        limits.rest()


def one_round(wanted: Mapping[str, tuple[str, list[str]]], rows: Mapping[str, Row], output: Path) -> None:
    for name, (_, words) in wanted.items():
        if not rows[name].failed:
            time.sleep(PAUSE)
            rows[name].runs.append(once(words, output))


def once(words: Sequence[str], output: Path) -> Measured:
    try:
        return measure(words, output.with_suffix(".txt"))
    finally:
        output.unlink(missing_ok=True)


def checked(gives: str, words: Sequence[str], output: Path, folder: Path) -> Row:
    """Run a command and look at what it wrote."""
    try:
        measure(words, output.with_suffix(".txt"))
        difference = largest_difference(output, folder)
    except SystemExit as reason:
        return Row(gives, [], failed=str(reason).splitlines()[-1])
    finally:
        output.unlink(missing_ok=True)
    failed = "" if difference <= check.TOLERANCE else f"wrong by {difference:.1e}"
    return Row(gives, [], difference, failed)


def largest_difference(output: Path, folder: Path) -> float:
    """Compare a file's states with the equations, and its means and last states with its states."""
    expected = check.load(folder)
    with h5py.File(output) as file:
        names = [name for name in ("hidden", "cell") if name in file]
        states = {name: file[name] for name in names}
        part = Part(np.arange(len(file["hidden"])), states["hidden"], states.get("cell"))
        worst = check.largest_difference([part], expected)
        for name in names:
            for row in expected.rows:
                values = states[name][row, : file["lengths"][row]]
                for pooled, right in (("mean", values.mean(axis=0)), ("last", values[-1])):
                    worst = max(worst, float(np.abs(file[f"{name}_{pooled}"][row] - right).max()))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, help="rounds (default: 5; 3 with --quick)")
    parser.add_argument("--cases", default=DEFAULT_CASES, help=f"default: {DEFAULT_CASES}")
    parser.add_argument("--scripts", default=",".join(PEER_SCRIPTS), help="which scripts, by name (default: all)")
    parser.add_argument("--quick", action="store_true", help="one small case")
    parser.add_argument("--folder", type=Path, help="where to put the files meanwhile (default: the system's)")
    parser.add_argument("--name", default="commands", help="of the files in results/ (default: commands)")
    options = parser.parse_args()
    chosen = SMALL_CASES if options.quick else {name: CASES[name] for name in options.cases.split(",")}
    chosen = {name: case for name, case in chosen.items() if case.sequences > 1}
    runs = options.runs or (3 if options.quick else 5)
    sections, content = [], {}
    for name, case in chosen.items():
        tell(f"{name}: {case.title}")
        with TemporaryDirectory(dir=options.folder) as place:
            prepare(case, Path(place))
            scripts = [name for name in options.scripts.split(",") if name]
            rows, limits = contest(Path(place), runs=runs, scripts=scripts)
        sections.append(text(case, rows, limits))
        content[name] = as_json(rows, limits)
    here = report.machine()
    introduction = INTRODUCTION.format(machine=report.about(here), day=report.today(), runs=runs)
    report.save(options.name, "\n\n".join([introduction, *sections]), {"machine": here, "cases": content})


def prepare(case: Case, folder: Path) -> None:
    """Write the inputs, the weights in both forms, and what is expected."""
    cases.write(case, folder)
    data = cases.read(folder)
    (folder / "model.onnx").write_bytes(model_bytes(data))
    check.save(check.expect(data), folder)


if __name__ == "__main__":
    main()
