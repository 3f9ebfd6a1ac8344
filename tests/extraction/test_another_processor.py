"""Runs begun on one processor and resumed on another: in the arithmetic that was begun with, or not at all."""

import json
import os
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest

import rnnstates
from rnnstates import DoesNotMatch
from rnnstates.engines import compiled_engine, numpy_engine
from rnnstates.engines.compiled_engine import CompiledUnroll
from rnnstates.engines.tensorflow import engine as tensorflow_engine
from rnnstates.extraction.begun import NOTHING, begun_at
from rnnstates.output import writer
from rnnstates.output.journal import encode, parse
from rnnstates.output.names import names_of
from rnnstates_cli import main

from ..builders import BUILT_ENGINES, bidirectional_stack, cell_weights, one_layer
from ..interrupting import contents, extract, interrupted, many_windows  # noqa: F401

pytestmark = pytest.mark.usefixtures("many_windows")

built = pytest.mark.skipif("compiled" not in BUILT_ENGINES, reason="not built: no C compiler")
KINDS = compiled_engine.kinds() if "compiled" in BUILT_ENGINES else {}
EXACT = {kind: widths for kind, widths in KINDS.items() if widths[1] == 1}
GRU = rnnstates.Network((rnnstates.RecurrentLayer("gru", forward=cell_weights("gru", 3, 5)),))


def finish(engine="compiled", **options):
    """Resume the run and give the bytes of its output."""
    return extract(engine=engine, **options)


def only(monkeypatch, *kinds):
    """Make the processor one that runs these kinds of kernel alone."""
    monkeypatch.setattr(compiled_engine, "kinds", lambda: {kind: EXACT[kind] for kind in kinds})


@pytest.fixture
def wider(monkeypatch):
    """A processor with a kind of kernel that no real one has, and that rounds in its own way."""
    real = compiled_engine._kernel()

    def unroll(kind, *arguments):
        real.unroll("plain" if kind == "wider" else kind, *arguments)
        if kind == "wider":
            hidden, cell = arguments[12:14]
            hidden *= np.float32(1 + 2**-20)
            cell *= np.float32(1 - 2**-20)

    fake = types.SimpleNamespace(kinds=lambda: [*real.kinds(), ("wider", 4, 1)], unroll=unroll)
    with monkeypatch.context() as patch:
        patch.setattr(compiled_engine, "_kernel", lambda: fake)
        yield patch


@built
@pytest.mark.parametrize("first", EXACT)
@pytest.mark.parametrize("network", [one_layer(), bidirectional_stack()], ids=["layer", "stack"])
def test_each_kind_of_kernel_is_resumed_with_that_kind_to_the_same_bytes(first, network, monkeypatch):
    with monkeypatch.context() as patch:
        only(patch, first)
        whole = finish(weights=network, output="whole.h5")
        assert 0 < interrupted(weights=network, engine="compiled") < rnnstates.status("out.h5")["windows_in_all"]
    assert finish(weights=network) == whole
    with rnnstates.open("out.h5") as states:
        assert states.provenance["arithmetic"]["kernel"]["kind"] == first


@built
@pytest.mark.parametrize("kind", [kind for kind in EXACT if kind != "plain"])
def test_kinds_of_kernel_differ_in_bits_so_that_the_test_above_can_fail(kind):
    inputs = np.random.RandomState(0).standard_normal((4, 9, 3)).astype(np.float32)
    one, other = (
        CompiledUnroll(one_layer().layers[0].forward, (), one)(inputs, np.full(4, 9))["hidden"].tobytes()
        for one in ("plain", kind)
    )
    assert one != other
    assert compiled_engine.digest("plain") != compiled_engine.digest(kind)


@built
@pytest.mark.parametrize("engine", ["compiled", "auto"])
def test_a_kind_that_is_not_the_widest_here_goes_on_being_used(engine, wider):
    extract(engine="compiled", output="other.h5")
    wider.undo()
    plain = list(EXACT)[-1]
    whole = extract(engine="compiled", output="whole.h5")
    interrupted(engine="compiled")
    wider.setattr(compiled_engine, "kinds", lambda: EXACT | {"wider": (4, 1)})
    assert extract(engine=engine) == whole
    with rnnstates.open("out.h5") as states, rnnstates.open("other.h5") as other:
        assert states.provenance["arithmetic"]["kernel"]["kind"] == plain
        assert other.provenance["arithmetic"]["kernel"]["kind"] == "wider"
        assert not np.array_equal(states["hidden"], other["hidden"])


@built
@pytest.mark.parametrize("engine", ["compiled", "auto"])
def test_a_kind_that_this_processor_does_not_run_is_refused_with_both(engine, wider):
    whole = extract(engine="compiled", output="whole.h5")
    interrupted(engine="compiled")
    before = contents()
    with pytest.MonkeyPatch.context() as narrower:
        narrower.setattr(compiled_engine, "kinds", lambda: {"plain": (4, 1)})
        with pytest.raises(
            DoesNotMatch,
            match=r"out\.h5\.partial: was begun on another machine .*arithmetic\.kernel\.kind was 'wider', is 'plain'; "
            r".*Resume it where it was begun, start over with restart=True",
        ):
            extract(engine=engine)
    assert contents() == before
    assert extract(engine="compiled") == whole


@built
def test_the_command_ends_with_78_where_the_kernel_is_missing(monkeypatch, capsys):
    interrupted(weights=None, units=4, engine="compiled")
    rewritten(lambda known: known["arithmetic"]["kernel"].update(kind="avx1024"))
    command = "rnnstates extract in.npy out.h5 --lengths lengths.npy --units 4"
    monkeypatch.setattr(sys, "argv", command.split())
    assert main._run() == 78
    assert "arithmetic.kernel.kind was 'avx1024', is '" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", [*command.split(), "--restart"])
    assert main._run() == 0


@built
def test_restart_takes_the_widest_kind_again(monkeypatch):
    with monkeypatch.context() as patch:
        only(patch, "plain")
        interrupted(engine="compiled")
    whole = finish(output="whole.h5")
    assert finish(restart=True) == whole


@built
def test_another_build_of_the_kernel_that_computes_other_bits_is_refused(monkeypatch):
    interrupted(engine="compiled")
    monkeypatch.setattr(compiled_engine, "digest", lambda kind: "0123456789abcdef")
    with pytest.raises(DoesNotMatch, match=r"arithmetic\.kernel\.digest was '[0-9a-f]{16}', is '0123456789abcdef'"):
        finish()


@built
def test_a_finished_output_that_was_not_tidied_up_after_is_known_on_another_processor(monkeypatch):
    with monkeypatch.context() as patch:
        only(patch, "plain")
        patch.setattr(writer, "tidy", lambda place: None)
        whole = finish()
    assert "out.h5.journal" in os.listdir()
    assert finish(force=True) == whole
    assert "out.h5.journal" not in os.listdir()


def another_numpy(monkeypatch):
    """Make NumPy that of a processor with other vectors."""
    for module in (numpy_engine, compiled_engine):
        monkeypatch.setattr(module, "of_numpy", lambda: {"blas": "OpenBLAS 0 Elbrus", "vectors": "", "libm": "none"})


@pytest.mark.parametrize("engine, weights", [
    ("numpy", one_layer()), ("numpy", GRU),
    pytest.param("compiled", GRU, marks=built),
])  # fmt: skip
def test_numpy_that_multiplies_otherwise_does_not_resume(engine, weights, monkeypatch):
    interrupted(engine=engine, weights=weights)
    another_numpy(monkeypatch)
    with pytest.raises(DoesNotMatch, match=r"arithmetic\.numpy\.blas was '.+', is 'OpenBLAS 0 Elbrus'"):
        extract(engine=engine, weights=weights)


@built
def test_what_numpy_multiplies_with_is_nothing_to_a_run_that_the_kernel_computes(monkeypatch):
    whole = finish(output="whole.h5")
    interrupted(engine="compiled")
    another_numpy(monkeypatch)
    assert finish() == whole


@pytest.mark.framework
@pytest.mark.parametrize("name, value", [("threads", 17), ("processor", "Elbrus"), ("vectors", ""), ("onednn", None)])
def test_tensorflow_on_another_processor_or_with_other_threads_does_not_resume(name, value, monkeypatch):
    interrupted(engine="tensorflow")
    known = tensorflow_engine.of_tensorflow
    monkeypatch.setattr(tensorflow_engine, "of_tensorflow", lambda tf: known(tf) | {name: value})
    with pytest.raises(DoesNotMatch, match=rf"arithmetic\.tensorflow\.{name} was .+, is {value!r}"):
        extract(engine="tensorflow")


@pytest.mark.parametrize("engine", BUILT_ENGINES)
def test_auto_resumes_with_the_engine_that_was_begun_with(engine):
    whole = extract(engine=engine, output="whole.h5")
    interrupted(engine=engine)
    assert extract(engine="auto") == whole
    assert rnnstates.preview("in.npy", "lengths.npy", weights=one_layer(), engine="auto")["engine"] in BUILT_ENGINES


@pytest.mark.framework
def test_preview_names_the_engine_of_an_unfinished_run():
    interrupted(engine="tensorflow")
    reported = rnnstates.preview("in.npy", "lengths.npy", weights=one_layer(), output="out.h5")
    assert reported["engine"] == "tensorflow"


def rewritten(change):
    """Change what the journal's header says of the job."""
    with open("out.h5.journal", "rb") as file:
        data = file.read()
    header, known = data.partition(b"\n")[::2]
    old = parse(header + b"\n").header
    identity = json.loads(json.dumps(old.identity))
    change(identity)
    with open("out.h5.journal", "wb") as file:
        file.write(encode(old._replace(identity=identity)) + known)


def of_version_0_1(identity):
    del identity["arithmetic"]


@pytest.mark.parametrize("engine", BUILT_ENGINES)
def test_a_run_of_a_version_that_did_not_record_its_arithmetic_is_refused_with_the_reason(engine):
    interrupted(engine=engine)
    rewritten(of_version_0_1)
    before = contents()
    with pytest.raises(DoesNotMatch, match=r"was begun by rnnstates '.*', which did not record the kernel and"):
        extract(engine=engine)
    assert contents() == before
    assert rnnstates.status("out.h5")["state"] == "stopped"
    extract(engine=engine, restart=True)


def test_an_unfinished_run_of_0_1_is_refused_with_the_reason(tmp_path):
    """The archive holds what version 0.1.0 left when it was ended after two of three windows, and what it read."""
    with zipfile.ZipFile(Path(__file__).parents[1] / "golden" / "unfinished" / "0.1.0.zip") as archive:
        archive.extractall(tmp_path)
    with open("out.h5.journal", "rb") as file:
        recorded = parse(file.read()).header.identity["input"]["mtime_ns"]
    os.utime("in.npy", ns=(recorded, recorded))
    before = contents()
    options = {"weights": None, "units": 2, "engine": "auto"}
    with pytest.raises(DoesNotMatch, match=r"out\.h5\.partial: was begun by rnnstates '0\.1\.0', which did not record"):
        extract(**options)
    assert contents() == before
    reported = rnnstates.status("out.h5")
    assert (reported["state"], reported["windows"], reported["windows_in_all"]) == ("stopped", 2, 3)
    whole = extract(**options, output="whole.h5")
    assert extract(**options, restart=True) == whole


@pytest.mark.parametrize("identity", [
    {"engine": ["numpy"]}, {"engine": {}, "arithmetic": "avx2"}, {"arithmetic": {"kernel": 7}},
    {"arithmetic": {"kernel": {"kind": ["avx2"]}}}, {},
])  # fmt: skip
def test_a_journal_that_says_anything_else_of_its_arithmetic_is_not_believed(identity):
    interrupted()
    rewritten(lambda known: (known.clear(), known.update(identity)))
    assert begun_at(names_of("out.h5")) == NOTHING
    with pytest.raises(DoesNotMatch):
        extract(engine="auto")


@pytest.mark.parametrize("kernel", ["", "avx1024", "plain\x1b[31m", "bfloat16"])
def test_a_kind_of_kernel_that_nobody_knows_is_refused(kernel):
    interrupted(engine=BUILT_ENGINES[0])
    rewritten(lambda known: known["arithmetic"].update(kernel={"kind": kernel}))
    with pytest.raises(DoesNotMatch, match=r"arithmetic\.kernel.* was .*, is "):
        extract(engine=BUILT_ENGINES[0])
