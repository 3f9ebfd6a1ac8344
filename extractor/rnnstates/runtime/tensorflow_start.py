"""Imports TensorFlow: in the background, and in the command without its start-up log.

``stderr_filter`` diverts standard error for that; in somebody else's process nothing is diverted.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, TypeAlias

from ..errors import EngineUnavailable
from .stderr_filter import Diversion, without_lines

__all__ = [
    "CHATTER", "TensorFlow", "begin_import", "import_tensorflow", "quiet_tensorflow", "stop_diverting",
    "version_of_tensorflow", "without_chatter",
]  # fmt: skip

# The module ``tensorflow``, which comes without types.
TensorFlow: TypeAlias = Any

CHATTER = (
    rb"WARNING: All log messages before absl"
    rb"|To enable the following instructions"
    # Its log lines, in the old and the new style. Errors too: without a GPU it logs the lack of CUDA as one.
    rb"|[IWE]\d{4} \d\d:\d\d:\d\d"
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "
)


class _Import:
    """One import of TensorFlow in a thread of its own."""

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self.diversion = Diversion(CHATTER) if _quiet else None
        # Not a daemon: a process that exits while C++ starts up in one of its threads may crash.
        self._thread = threading.Thread(target=self._run, name="tensorflow-import")
        self._thread.start()

    def _run(self) -> None:
        try:
            _import()
        except BaseException as reason:
            self.failure = reason
        self.stop_diverting(replay=self.failure is not None)

    def stop_diverting(self, *, replay: bool) -> None:
        """Restore standard error, if it was diverted."""
        if self.diversion is not None:
            self.diversion.stop(replay=replay)

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return self._thread.is_alive()

    def wait(self) -> None:
        """Wait for it to finish; raises what the import raised."""
        self._thread.join()
        if self.failure is not None:
            raise self.failure


_lock = threading.Lock()
_running: _Import | None = None
_quiet = False


def quiet_tensorflow() -> None:
    """Keep TensorFlow's log off standard error from now on, in a process whose standard error is ours."""
    global _quiet
    _quiet = True


def begin_import() -> None:
    """Start importing TensorFlow in the background, unless it is imported or being imported already.

    Import h5py and other large modules first, lest two threads import the same modules at once. A process that exits
    meanwhile waits for the import to finish.
    """
    global _running
    with _lock:
        if _running is None and "tensorflow" not in sys.modules:
            _running = _Import()


def import_tensorflow() -> TensorFlow:
    """Import TensorFlow and start its runtime, or wait until that is done; fast if it already was.

    Raises
    ------
    EngineUnavailable
        It is not installed or does not start.
    """
    begin_import()
    try:
        _finish()
        # Somebody else's thread may be importing it too.
        import tensorflow as tf
    except ImportError as reason:
        raise EngineUnavailable(
            f'TensorFlow cannot be imported ({reason}); install it (pip install tensorflow), or use engine="numpy".'
        ) from reason
    except MemoryError:
        raise
    # Incompatible versions of libraries can raise any kind of exception.
    except Exception as reason:
        raise EngineUnavailable(
            f"TensorFlow does not start ({type(reason).__name__}: {reason}); repair its installation, or use "
            'engine="numpy".'
        ) from reason
    return tf


def version_of_tensorflow() -> str:
    """Return its version; import it only if the installed package does not state it."""
    from importlib.metadata import PackageNotFoundError, version

    with suppress(PackageNotFoundError):
        return version("tensorflow")
    return str(import_tensorflow().__version__)


def stop_diverting() -> None:
    """Let everything through to standard error from now on, e.g. because a signal is about to end the process."""
    running = _running
    if running is not None:
        running.stop_diverting(replay=False)


def without_chatter() -> AbstractContextManager[None]:
    """Hold back TensorFlow's log in a ``with`` block around what makes it log again, such as a graph's first run."""
    return without_lines(CHATTER) if _quiet else nullcontext()


def _finish() -> None:
    """Wait for the running import; after a failure the next one starts afresh."""
    global _running
    running = _running
    if running is None:
        return
    try:
        running.wait()
    except KeyboardInterrupt:
        stop_diverting()
        raise
    finally:
        with _lock:
            if _running is running and not running.alive:
                _running = None


class _NoKeras:
    """As the first finder, it keeps the thread that made it from importing Keras; all see where Keras is."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> None:
        """Refuse the modules inside Keras to that thread; leave all else to the finders behind."""
        if name.startswith(("keras.", "tf_keras.")) and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is not imported with TensorFlow", name=name)


@contextmanager
def _without_keras() -> Iterator[None]:
    """Import TensorFlow as where Keras is not installed: it would import all of it, which takes as long again."""
    finder: Any = _NoKeras()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def _import() -> None:
    # Somebody else's process may expect that the one comes with the other.
    with _without_keras() if _quiet else nullcontext():
        import tensorflow as tf

    # TensorFlow logs again when it lists devices.
    tf.config.list_physical_devices()
