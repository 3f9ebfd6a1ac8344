"""Importing TensorFlow without its start-up chatter.

TensorFlow's C++ side writes to file descriptor 2 before its logger knows ``TF_CPP_MIN_LOG_LEVEL``, so the only way to
spare the user those lines is to divert the descriptor while it starts. What is not recognised as chatter, and
everything when the start fails, is passed on.
"""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from .errors import EngineUnavailable

__all__ = ["import_tensorflow"]

CHATTER = re.compile(
    rb"^(WARNING: All log messages before absl"
    rb"|To enable the following instructions"
    # Its log lines, old style and new. Errors too: without a GPU it reports CUDA's absence as one.
    rb"|[IWE]\d{4} \d\d:\d\d:\d\d"
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] )"
)


def import_tensorflow() -> Any:
    """Import TensorFlow and start its runtime; quick and silent when that has been done.

    Raises
    ------
    EngineUnavailable
        It is not installed or does not start.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    try:
        with _without_chatter():
            import tensorflow as tf

            # The logger speaks once more when the device list is made.
            tf.config.list_physical_devices()
    except ImportError as reason:
        raise EngineUnavailable(
            f"TensorFlow cannot be imported ({reason}); install it (pip install tensorflow), or use --engine numpy."
        ) from reason
    return tf


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as diverted:
        os.dup2(diverted.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            diverted.seek(0)
            lines = diverted.read().splitlines(keepends=True)
            os.write(2, b"".join(line for line in lines if failed or not CHATTER.match(line)))
