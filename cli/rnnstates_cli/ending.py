"""Reports that a command failed or was stopped: a line on standard error, and JSON with ``--json``."""

import contextlib
import os
import signal
import sys

from .reporting import json_text
from .stopping import STOPPING

__all__ = ["complain", "die", "failed", "to_resume"]


def to_resume(reason: BaseException, command: str) -> None:
    """Attach to an error the command that resumes the run."""
    vars(reason)["resume"] = command


def complain(text: str) -> None:
    """Write a line about what went wrong to standard error."""
    sys.stderr.write(f"rnnstates: {text}\n")


def failed(reason: BaseException, message: str, code: int) -> int:
    """Print an error as JSON if requested; return the exit code.

    Parameters
    ----------
    reason : BaseException
    message : str
        The message on standard error.
    code : int
    """
    # Not from the parsed options: parsing may be what failed.
    if "--json" in sys.argv[1 : sys.argv.index("--") if "--" in sys.argv else None]:
        resume = getattr(reason, "resume", None)
        answer = {"error": type(reason).__name__, "message": message, "code": code, "resume": resume}
        with contextlib.suppress(OSError):
            sys.stdout.write(json_text(answer) + "\n")
            sys.stdout.flush()
    return code


def die(number: int, reason: BaseException | None = None) -> int:
    """End the process as the signal would have, so that shells and batch systems see what happened."""
    if number in STOPPING:
        message = f"{'interrupted' if number == signal.SIGINT else 'ended'} before the output was finished."
        complain(message)
        if reason is not None:
            failed(reason, message, 128 + number)
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number
