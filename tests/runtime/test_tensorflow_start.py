"""TensorFlow imported in the background: what overlaps, what reaches standard error, what is left afterwards."""

import subprocess
import sys
import textwrap

import pytest

from ..engines.tensorflow_process import said

CHATTER = "2026-01-01 00:00:00.000001: I tensorflow/core/x.cc:1] oneDNN custom operations are on."


def run(script, folder, stub=None, *, quiet=True):
    """Run a script, perhaps with a package of TensorFlow's name of our own, and give what it wrote."""
    if stub is not None:
        (folder / "tensorflow.py").write_text(textwrap.dedent(stub))
    start = f"import sys; sys.path.insert(0, {str(folder)!r})\n"
    start += "from rnnstates.runtime import tensorflow_start as start\n"
    start += "import os, threading, time\nfrom rnnstates.errors import EngineUnavailable\n"
    start += "start.quiet_tensorflow()\n" if quiet else ""
    return subprocess.run(
        [sys.executable, "-c", start + textwrap.dedent(script)], capture_output=True, text=True, timeout=120, check=True
    )


SLOW = f"""
    import os, time
    os.write(2, b"{CHATTER}\\n")
    time.sleep(1)
    os.write(2, b"a warning of a library\\n{CHATTER}\\n")
    class config:
        list_physical_devices = staticmethod(list)
"""


def test_the_import_goes_on_while_something_else_is_done(tmp_path):
    done = run(
        """
        before = time.perf_counter()
        start.begin_import()
        start.begin_import()
        assert time.perf_counter() - before < 0.5
        time.sleep(1.2)
        between = time.perf_counter()
        tf = start.import_tensorflow()
        assert time.perf_counter() - between < 0.5
        assert tf is start.import_tensorflow() is sys.modules["tensorflow"]
        assert threading.enumerate() == [threading.main_thread()]
        start.begin_import()
        assert threading.enumerate() == [threading.main_thread()]
        """,
        tmp_path,
        SLOW,
    )
    assert done.stderr == "a warning of a library\n"


def test_standard_error_of_the_callers_process_is_left_alone(tmp_path):
    done = run(
        """
        before = os.fstat(2)
        start.begin_import()
        time.sleep(0.3)
        assert threading.active_count() == 2, "the import has ended before the test"
        assert os.path.samestat(os.fstat(2), before)
        start.import_tensorflow()
        with start.without_chatter():
            assert os.path.samestat(os.fstat(2), before)
        """,
        tmp_path,
        SLOW,
        quiet=False,
    )
    assert done.stderr == f"{CHATTER}\na warning of a library\n{CHATTER}\n"


def test_the_real_one_is_imported_silently_and_leaves_no_thread():
    assert said().at_start == ""
    assert (said().keras.returncode, said().keras.stderr) == (0, "")


def test_in_somebody_elses_process_keras_comes_with_tensorflow_as_always(tmp_path):
    stub = """
        import importlib
        try:
            importlib.import_module("keras.src")
        except ImportError as reason:
            print(reason)
        class config: list_physical_devices = staticmethod(list)
    """
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").touch()
    (tmp_path / "keras" / "src.py").write_text("print('keras')")
    script = "start.import_tensorflow(); import keras.src"
    assert run(script, tmp_path, stub, quiet=False).stdout == "keras\n"
    assert run(script, tmp_path, stub).stdout == "keras.src is not imported with TensorFlow\nkeras\n"


def test_what_the_program_writes_meanwhile_comes_through_at_once(tmp_path):
    run(
        """
        read, write = os.pipe()
        os.dup2(write, 2)
        start.begin_import()
        os.set_blocking(read, False)
        for text in ("a note\\n", "  5%\\r", "part of a line"):
            sys.stderr.write(text)
            sys.stderr.flush()
            time.sleep(0.3)
            assert os.read(read, 100).decode() == text
        assert threading.active_count() > 1, "the import has ended before the test"
        os.write(2, b" and its end\\n")
        start.import_tensorflow()
        assert os.read(read, 100) == b" and its end\\na warning of a library\\n"
        """,
        tmp_path,
        SLOW.replace("sleep(1)", "sleep(3)"),
    )


SILENT = "class config: list_physical_devices = staticmethod(list)"

FAILING = SLOW.replace("class config:", "raise {failure}\n    class config:")


def test_a_failure_is_raised_by_the_one_who_waits_and_the_chatter_is_replayed(tmp_path):
    done = run(
        """
        start.begin_import()
        for _ in range(2):
            try:
                start.import_tensorflow()
            except EngineUnavailable as error:
                assert "cannot be imported (no such library)" in str(error), error
            else:
                raise SystemExit("no error")
        assert threading.enumerate() == [threading.main_thread()]
        """,
        tmp_path,
        FAILING.format(failure="ImportError('no such library')"),
    )
    assert sorted(set(done.stderr.splitlines())) == [CHATTER, "a warning of a library"]


def test_a_library_that_does_not_fit_is_no_bug_of_ours(tmp_path):
    run(
        """
        try:
            start.import_tensorflow()
        except EngineUnavailable as error:
            assert 'does not start (TypeError: broken); repair its installation, or use engine="numpy"' in str(error)
        else:
            raise SystemExit("no error")
        """,
        tmp_path,
        FAILING.format(failure="TypeError('broken')"),
    )


@pytest.mark.parametrize("failure", ["MemoryError", "SystemExit"])
def test_any_other_failure_passes_as_it_is(failure, tmp_path):
    run(
        f"""
        start.begin_import()
        try:
            start.import_tensorflow()
        except {failure} as error:
            assert str(error) == "broken"
        else:
            raise SystemExit("no error")
        """,
        tmp_path,
        FAILING.format(failure=f"{failure}('broken')"),
    )


def test_an_interrupt_while_waiting_passes_and_stderr_is_given_back(tmp_path):
    done = run(
        """
        import signal
        # Who runs the tests in the background ignores it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        before = time.perf_counter()
        start.begin_import()
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            start.import_tensorflow()
        except KeyboardInterrupt:
            assert time.perf_counter() - before < 2.5
        else:
            raise SystemExit("no interrupt")
        os.write(2, b"interrupted\\n")
        os._exit(0)
        """,
        tmp_path,
        SLOW.replace("sleep(1)", "sleep(3)"),
    )
    assert done.stderr == "interrupted\n"


def test_an_import_that_nobody_waits_for_ends_by_itself(tmp_path):
    done = run("start.begin_import(); sys.stderr.write('an error\\n')", tmp_path, SLOW)
    assert done.stderr == "an error\na warning of a library\n"


def test_a_child_process_may_keep_standard_error_for_longer(tmp_path):
    done = run(
        """
        import subprocess
        says = "import os, time; time.sleep(3); os.write(2, b'the child\\\\n')"
        start.begin_import()
        child = subprocess.Popen([sys.executable, "-c", says])
        start.import_tensorflow()
        os.write(2, b"ours\\n")
        child.wait()
        time.sleep(0.3)
        """,
        tmp_path,
        SLOW,
    )
    assert done.stderr == "a warning of a library\nours\nthe child\n"


def test_a_closed_standard_error_is_no_hindrance(tmp_path):
    run("os.close(2); sys.stderr = None; start.begin_import(); start.import_tensorflow()", tmp_path, SILENT)


def test_whoever_takes_standard_error_meanwhile_keeps_it(tmp_path):
    run(
        """
        start.begin_import()
        other = os.open(os.devnull, os.O_WRONLY)
        os.dup2(other, 2)
        start.import_tensorflow()
        assert os.path.samestat(os.fstat(2), os.fstat(other))
        """,
        tmp_path,
        SLOW,
    )


def test_a_reader_that_has_gone_does_not_stop_the_import(tmp_path):
    run(
        """
        read, write = os.pipe()
        os.dup2(write, 2)
        os.close(read), os.close(write)
        start.begin_import()
        start.import_tensorflow()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        """,
        tmp_path,
        SLOW,
    )
