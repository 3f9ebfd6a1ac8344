"""Variables of the environment, -q and -v, errors as JSON, versions and completions."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnnstates as library
from rnnstates.extraction.versions import EXTRAS

from .running import rnnstates, text

ROOT = Path(__file__).parent.parent.parent
JOB = ("extract", "x.npy", "o.h5", "--lengths", "full", "--engine", "numpy")


@pytest.fixture
def place(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 3, 4)))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RNNSTATES_THREADS", "many", "Invalid value for RNNSTATES_THREADS: 'many'"),
        ("RNNSTATES_PROGRESS", "loud", "Invalid value for RNNSTATES_PROGRESS: 'loud'"),
        ("RNNSTATES_MEMORY", "much", "RNNSTATES_MEMORY=much: not a size"),
    ],
)
def test_an_error_names_the_variable_that_a_value_is_from(place, name, value, said):
    done = rnnstates(*JOB, cwd=place, env={name: value})
    assert done.returncode == 2
    assert said in text(done.stderr)


def test_an_option_goes_before_its_variable(place):
    done = rnnstates(*JOB, "--memory", "1G", cwd=place, env={"RNNSTATES_MEMORY": "much"})
    assert done.returncode == 0, done.stderr


def test_each_variable_is_in_the_help():
    shown = text(rnnstates("extract", "--help").stdout)
    assert set(re.findall(r"RNNSTATES_\w+", shown)) == {
        f"RNNSTATES_{name}" for name in ("ENGINE", "THREADS", "MEMORY", "MAX_RUNTIME", "PROGRESS")
    }


def test_quiet_says_nothing_and_verbose_what_is_planned_and_when(place):
    quiet = rnnstates(*JOB, "-q", cwd=place)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, b"", b"")
    verbose = text(rnnstates(*JOB, "--force", "-v", cwd=place).stderr)
    assert re.search(r"^\d+\.\d\d s: planned 2 sequences, 6 valid steps of 6", verbose, re.M)
    assert re.search(r"^\d+\.\d\d s: computing with engine numpy", verbose, re.M)
    assert rnnstates(*JOB, "-q", "-v", cwd=place).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "error", "code"),
    [
        (("extract", "no.npy", "o.h5"), "MissingInput", 66),
        (("extract", "x.npy", "o.h5", "--lengths", "full", "--states", "hiden"), "OptionError", 2),
        (("extract", "--nope"), None, 2),
        (("info",), None, 2),
    ],
)
def test_an_error_is_one_json_object_as_well(place, arguments, error, code):
    done = rnnstates(*arguments, "--json", cwd=place)
    found = json.loads(done.stdout)
    assert found.keys() == {"error", "message", "code", "resume"}
    assert (done.returncode, found["code"], found["resume"]) == (code, code, None)
    assert error in (None, found["error"])
    assert found["message"].split(":")[0] in text(done.stderr)
    assert rnnstates(*arguments, cwd=place).stdout == b""


def test_the_json_of_a_run_that_is_stopped_has_the_command_that_resumes_it(place):
    np.save(place / "x.npy", np.ones((30_000, 20, 4), np.float32))
    script = """
import rnnstates
from rnnstates_cli.main import main
from rnnstates_cli.reporting import Reporter

def update(self, done, total):
    if done > total * 0.7:
        raise rnnstates.Stopped("time limit reached")

Reporter.update = update
main()
"""
    arguments = [*JOB, "--states", "none", "--threads", "1", "--json"]
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=place, capture_output=True, timeout=120)
    found = json.loads(done.stdout)
    assert (done.returncode, found["error"], found["code"]) == (75, "Stopped", 75)
    assert found["resume"].startswith("rnnstates extract x.npy o.h5 ")
    assert found["resume"] in text(done.stderr)


def test_python_m_rnnstates_is_the_command(place):
    done = subprocess.run([sys.executable, "-m", "rnnstates", "info", "no.h5"], cwd=place, capture_output=True)
    assert done.returncode == 66
    assert done.stderr.startswith(b"rnnstates: no.h5: ")
    shown = subprocess.run([sys.executable, "-m", "rnnstates", "--help"], capture_output=True).stdout
    assert shown.startswith(b"Usage: rnnstates ")


def test_versions_are_shown_and_neither_tensorflow_nor_an_extra_is_imported():
    found = json.loads(rnnstates("--show-versions", "--json").stdout)
    assert found == library.versions()
    assert found["numpy"] == np.__version__
    shown = text(rnnstates("--show-versions").stdout)
    assert set(re.findall(r"^(\w+):", shown, re.M)) == set(found)
    script = "import sys, rnnstates; rnnstates.versions(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert {"tensorflow", "torch", "onnx", "sklearn"}.isdisjoint(modules)


def test_the_extras_are_those_of_the_project():
    declared = re.findall(r'^(\w+) = \["([\w-]+)>=[\d.]+"\]$', (ROOT / "pyproject.toml").read_text(), re.M)
    assert {extra: package for extra, package in declared if extra != "requires"} == EXTRAS


def completed(shell, *words):
    environment = {"_RNNSTATES_COMPLETE": f"{shell}_complete", "COMP_CWORD": str(len(words))}
    environment["COMP_WORDS"] = " ".join(("rnnstates", *words))
    return text(rnnstates(cwd=ROOT, env=environment).stdout).splitlines()


def test_shells_complete_names_files_and_layers():
    assert "plain,extract" in completed("bash", "ex")
    assert completed("bash", "extract", "a", "b", "--pool", "mean,m") == ["plain,mean,max", "plain,mean,min"]
    assert completed("bash", "extract", "a", "b", "--states", "no") == ["plain,none"]
    assert completed("bash", "extract", "samp") == ["file,samp"]
    weights = ("extract", "a", "b", "--weights", "sample_data/parens.keras", "--layer", "l")
    assert completed("bash", *weights) == ["plain,lstm"]


def test_shells_complete_the_datasets_of_an_output(tmp_path):
    library.extract(np.ones((2, 3, 4), np.float32), "full", output=tmp_path / "o.h5", pool="last").close()
    words = ("export", str(tmp_path / "o.h5"), "a.csv", "--datasets")
    assert completed("bash", *words, "cell,hid") == ["plain,cell,hidden", "plain,cell,hidden_last"]
    assert completed("bash", "export", "absent.h5", "a.csv", "--datasets", "h") == [""]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed(shell):
    script = text(rnnstates("completion", shell).stdout)
    assert "_RNNSTATES_COMPLETE" in script
    assert 'string split ","' not in script


@pytest.mark.parametrize("arguments", [("--show-versions", "info"), ("--json", "info"), ("--json",)])
def test_what_stands_before_a_command_is_refused(arguments):
    assert rnnstates(*arguments, "x.npy").returncode == 2
