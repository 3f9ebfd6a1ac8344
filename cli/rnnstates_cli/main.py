"""The command ``rnnstates``, and the one place where errors become exit codes."""

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

from .clean import clean
from .convert import convert
from .extract import extract
from .info import info
from .reporting import LONGEST_LINE, say
from .status import status
from .stopping import STOPPING, StopRequest, arrived, heed_signals
from .streams import make_lenient, open_closed
from .verify import verify

__all__ = ["EXIT_CODES", "cli", "main"]

# Those of sysexits.h, so that batch systems can tell them apart; the first class that fits counts.
EXIT_CODES: dict[type[Exception], int] = {
    rnnstates.OptionError: 2,
    rnnstates.BadData: 65,
    rnnstates.MissingInput: 66,
    rnnstates.EngineUnavailable: 69,
    rnnstates.MemoryBudgetError: 71,
    rnnstates.CannotCreate: 73,
    rnnstates.OutputUnread: 74,
    rnnstates.WriteFailed: 74,
    rnnstates.OutputBusy: 75,
    rnnstates.Stopped: 75,
    rnnstates.PermissionDenied: 77,
    rnnstates.DoesNotMatch: 78,
}
BUG, MEMORY, IO = 1, 71, 74


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(rnnstates.__version__, prog_name="rnnstates")
def cli() -> None:
    """Everything an RNN knew, at every time step."""


cli.add_command(extract)
cli.add_command(info)
cli.add_command(convert)
cli.add_command(verify)
cli.add_command(status)
cli.add_command(clean)


def main() -> NoReturn:
    """Run the command line and end the process."""
    open_closed()
    heed_signals()
    # Read by TensorFlow if it starts: tiles run side by side, and threads inside each product would fight them.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    quiet_tensorflow()
    make_lenient()
    sys.exit(_run())


def _run() -> int:
    # What click prints itself, help and version.
    shown = io.StringIO()
    try:
        with contextlib.redirect_stdout(shown):
            printed = cli.main(prog_name="rnnstates", standalone_mode=False)
        return _print(shown.getvalue().removesuffix("\n") or printed)
    except click.ClickException as reason:
        # Usage errors quote what was typed.
        usage = io.StringIO()
        reason.show(file=usage)
        say(*usage.getvalue().rstrip("\n").split("\n"))
        return int(reason.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _die(signal.SIGINT)
    except StopRequest as reason:
        return _die(reason.number)
    except tuple(EXIT_CODES) as reason:
        _complain(str(reason))
        return next(code for kind, code in EXIT_CODES.items() if isinstance(reason, kind))
    except MemoryError:
        _complain("out of memory; give less --threads or a smaller --memory.")
        return MEMORY
    except Exception:
        if number := arrived():
            # Some callers of a handler, the making of a class for one, turn what it raises into an error of theirs.
            return _die(number)
        say(*traceback.format_exc().splitlines())
        _complain("this is a bug in rnnstates; please report it with the lines above.")
        return BUG


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
        # What is still buffered cannot be written either; without this Python would try again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if reason.errno == errno.EPIPE:
            return _die(signal.SIGPIPE)
        _complain(f"standard output cannot be written ({reason.strerror}); files are complete.")
        return IO
    return 0


def _complain(text: str) -> None:
    sys.stderr.write(f"rnnstates: {text}\n")


def _die(number: int) -> int:
    """End as the signal would have ended us, so that shells and batch systems see what happened."""
    if number in STOPPING:
        _complain(f"{'interrupted' if number == signal.SIGINT else 'ended'} before the output was finished.")
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


if __name__ == "__main__":
    main()
