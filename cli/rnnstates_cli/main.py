"""The entry point of the command, and the one place where errors become exit codes."""

import contextlib
import errno
import io
import os
import signal
import sys
import traceback
from typing import NoReturn

import click

import rnnstates
from rnnstates import printable, quiet_tensorflow

from .ending import complain, die, failed
from .group import cli
from .reporting import LONGEST_LINE, say
from .stopping import StopRequest, arrived, heed_signals
from .streams import make_lenient, open_closed

__all__ = ["cli", "main"]

# Exit codes for errors that are not the library's.
BUG, MEMORY, IO = 1, 71, 74
NO_MEMORY = "out of memory; use fewer --threads or a smaller --memory."

# Set by the scripts of ``rnnstates completion`` when they ask for completions.
COMPLETING = "_RNNSTATES_COMPLETE"


def main() -> NoReturn:
    """Run the command line and end the process."""
    open_closed()
    heed_signals()
    # Read by TensorFlow when it starts: tiles run in parallel, and threads inside each product would compete with them.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    quiet_tensorflow()
    make_lenient()
    sys.exit(_run())


def _run() -> int:
    # Click's own output: help and version.
    shown = io.StringIO()
    try:
        if COMPLETING in os.environ:
            # A shell asks for completions; click answers it and exits.
            return int(cli.main(prog_name="rnnstates", complete_var=COMPLETING) or 0)
        with contextlib.redirect_stdout(shown):
            printed = cli.main(prog_name="rnnstates", standalone_mode=False)
        return _print(shown.getvalue().removesuffix("\n") or printed)
    except click.ClickException as reason:
        # Usage errors quote what was typed.
        usage = io.StringIO()
        reason.show(file=usage)
        say(*usage.getvalue().rstrip("\n").split("\n"))
        return failed(reason, reason.format_message(), int(reason.exit_code))
    except (click.Abort, KeyboardInterrupt) as reason:
        return die(signal.SIGINT, reason)
    except StopRequest as reason:
        return die(reason.number, reason)
    except rnnstates.RnnstatesError as reason:
        complain(str(reason))
        return failed(reason, str(reason), reason.exit_code)
    except MemoryError as reason:
        complain(NO_MEMORY)
        return failed(reason, NO_MEMORY, MEMORY)
    except Exception as reason:
        if number := arrived():
            # Some callers of a handler, e.g. the creation of a class, turn what it raises into their own error.
            return die(number, reason)
        say(*traceback.format_exc().splitlines())
        complain("this is a bug in rnnstates; please report it with the lines above.")
        return failed(reason, str(reason), BUG)


def _print(printed: str | list[str] | None) -> int:
    """Write a command's result to standard output, which may be closed or full."""
    if not printed:
        return 0
    # JSON is one string, escaped by its own rules.
    lines = [printed] if isinstance(printed, str) else [printable(line, most=LONGEST_LINE) for line in printed]
    try:
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
    except OSError as reason:
        # What is still buffered cannot be written either; without this Python would retry at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if reason.errno == errno.EPIPE:
            return die(signal.SIGPIPE)
        complain(f"standard output cannot be written ({reason.strerror}); files are complete.")
        return IO
    return 0


if __name__ == "__main__":
    main()
