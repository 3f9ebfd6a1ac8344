"""Running the command as a user does: a process of its own."""

import os
import subprocess
import sys


def rnnstates(*arguments, cwd=None, stdin=None, env=None, **options):
    """Run the command; gives the finished process with text in ``stdout`` and ``stderr``."""
    return subprocess.run(
        [sys.executable, "-m", "rnnstates_cli.main", *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, **(env or {})},
        timeout=120,
        **options,
    )


def text(stream):
    return stream.decode()
