"""What of a machine and its libraries decides the bits of a result is seen and recorded."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from rnnstates.engines import arithmetic, compiled_engine
from rnnstates.runtime.tensorflow_start import import_tensorflow

from ..builders import BUILT_ENGINES
from .tensorflow_process import said


@pytest.mark.parametrize("describe", [np.show_config, lambda mode: {}, lambda: None])
def test_of_a_blas_that_does_not_say_which_kernel_it_chose_the_processor_is_recorded(describe, monkeypatch):
    monkeypatch.setattr(arithmetic, "OPENBLAS_NAMES", ())
    monkeypatch.setattr(np, "show_config", describe)
    assert re.fullmatch(r"(unknown|\S+ \S+) on .+", arithmetic._blas())


@pytest.mark.parametrize("text, name", [
    ("processor : 0\nmodel name\t: Some CPU @ 2 GHz\nflags : a\n\nmodel name : Other\n", "Some CPU @ 2 GHz"),
    ("processor : 0\nCPU implementer : 0x41\nCPU variant : 0x1\nCPU part : 0xd40\n\n", "0x41 0x1 0xd40"),
    ("", os.uname().machine), (None, os.uname().machine),
])  # fmt: skip
def test_the_processor_is_named_as_the_system_names_it(text, name, tmp_path, monkeypatch):
    monkeypatch.setattr(arithmetic, "CPUINFO", tmp_path / "cpuinfo")
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(arithmetic.platform, "processor", lambda: "")
    assert arithmetic._processor.__wrapped__() == name


SHOW = "from rnnstates.engines.arithmetic import of_numpy; print(of_numpy())"


@pytest.mark.skipif(
    "OpenBLAS" not in str(arithmetic.of_numpy()) or os.uname().machine != "x86_64",
    reason="needs x86-64 and a NumPy with OpenBLAS",
)
def test_the_record_shows_the_kernels_that_numpy_chose():
    """OpenBLAS and NumPy can be made to take the code of an older processor."""
    old = os.environ | {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": arithmetic.of_numpy()["vectors"]}
    shown = subprocess.run([sys.executable, "-c", SHOW], env=old, capture_output=True, text=True, check=True).stdout
    assert "Nehalem" in shown
    assert "'vectors': ''" in shown
    assert "Nehalem" not in str(arithmetic.of_numpy())


# The code of NumPy for AVX-512 calls no function of the C library.
NO_AVX512 = " ".join(name for name in arithmetic.of_numpy()["vectors"].split() if "512" in name or "V4" in name)
X86 = os.uname().machine == "x86_64" and "glibc" in arithmetic.of_numpy()["libm"]
NUMPY = "from rnnstates.engines.arithmetic import of_numpy; print(of_numpy()['digest'])"


def printed(script, **environment):
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | environment, capture_output=True, text=True, check=True,
        timeout=120,
    )  # fmt: skip
    return done.stdout.split()[-1]


@pytest.mark.skipif(
    not X86 or "X86_V3" not in arithmetic.of_numpy()["vectors"], reason="needs x86-64 with AVX2, and glibc"
)
def test_other_functions_of_the_c_library_are_seen_in_the_digest_of_numpy():
    same = {"NPY_DISABLE_CPU_FEATURES": NO_AVX512} if NO_AVX512 else {}
    usual = printed(NUMPY, **same)
    assert usual == printed(NUMPY, **same)
    assert usual != printed(NUMPY, **same, GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA")


@pytest.mark.skipif(
    not X86 or "X86_V3" not in arithmetic.of_numpy()["vectors"], reason="needs x86-64 with AVX2, and glibc"
)
def test_other_code_of_onednn_is_seen_in_the_digest_of_tensorflow():
    usual = arithmetic.of_tensorflow(import_tensorflow())["digest"]
    assert usual == said().digest
    assert usual != said().digest_of_another_onednn != ""


KINDS = ("numpy", *(compiled_engine.kinds() if "compiled" in BUILT_ENGINES else ()))


@pytest.mark.skipif(not X86, reason="needs x86-64, whose switch torch sets, and glibc")
@pytest.mark.parametrize("kind", KINDS)
def test_subnormal_numbers_taken_for_zeros_are_seen_in_the_digest(kind):
    import torch

    def digest():
        return arithmetic.of_numpy()["digest"] if kind == "numpy" else compiled_engine.digest(kind)

    usual = digest()
    assert usual == digest()
    assert torch.set_flush_denormal(True)
    try:
        taken_for_zeros = digest()
    finally:
        torch.set_flush_denormal(False)
    # Products of bfloat16 take subnormal numbers for zeros by themselves.
    assert (usual == taken_for_zeros) == (kind == "bfloat16")
    assert usual == digest()
