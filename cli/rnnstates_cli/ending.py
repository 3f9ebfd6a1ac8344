"""What is said when a command fails or is stopped: a line on standard error, and JSON where that is asked for."""

import contextlib
import os
import signal
import sys

from .reporting import json_text
from .stopping import STOPPING

__all__ = ["complain", "die", "failed", "to_resume"]


def to_resume(reason: BaseException, command: str) -> None:
    """Keep with an error the command that resumes what it ended."""
    vars(reason)["resume"] = command


def complain(text: str) -> None:
    """Write a line about what went wrong to standard error."""
    sys.stderr.write(f"rnnstates: {text}\n")


def failed(reason: BaseException, message: str, code: int) -> int:
    """Print an error as JSON where that is asked for; gives the exit code.

    Parameters
    ----------
    reason : BaseException
    message : str
        What standard error said of it.
    code : int
    """
    # Not of the parsed options: what cannot be parsed fails as well.
    if "--json" in sys.argv[1 : sys.argv.index("--") if "--" in sys.argv else None]:
        resume = getattr(reason, "resume", None)
        answer = {"error": type(reason).__name__, "message": message, "code": code, "resume": resume}
        with contextlib.suppress(OSError):
            sys.stdout.write(json_text(answer) + "\n")
            sys.stdout.flush()
    return code


def die(number: int, reason: BaseException | None = None) -> int:
    """End as the signal would have ended us, so that shells and batch systems see what happened."""
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
