"""The C of both extensions compiles without a warning."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "extractor" / "rnnstates"
COMPILER = shutil.which("gcc")
FLAGS = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-c"]


def compile_c(source, folder):
    include = sysconfig.get_path("include")
    return subprocess.run(
        [COMPILER, *FLAGS, f"-I{include}", source, "-o", folder / "object.o"], capture_output=True, text=True
    )


@pytest.mark.skipif(COMPILER is None, reason="gcc is not installed")
@pytest.mark.parametrize("source", ["engines/kernel/kernel.c", "arrays/native/rows.c"])
def test_it_compiles_without_a_warning(source, tmp_path):
    done = compile_c(SOURCES / source, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(COMPILER is None, reason="gcc is not installed")
def test_a_warning_would_be_seen(tmp_path):
    (tmp_path / "bad.c").write_text("int f(int unused) { int x; return x; }\n")
    assert compile_c(tmp_path / "bad.c", tmp_path).returncode != 0
