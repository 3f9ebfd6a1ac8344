"""Processes that are really killed, some milliseconds each: forked from one that has imported everything.

``python -m tests.faults.children INPUTS`` reads one JSON object a line, forks, and answers with how the child ended.
"""

import gc
import json
import logging
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

from .faulty import Faulty
from .small import Small
from .table import MOMENTS

__all__ = ["Children"]

ROOT = Path(__file__).parent.parent.parent
# The child ran the job to its end, or ended in an error that is not meant; behind these, at which moment it ended in
# one that is meant.
DONE, BUG, MEANT = 0, 3, 10


class Children:
    """The process that forks; a context manager.

    Parameters
    ----------
    inputs : Path
        Of ``Small``.
    """

    def __init__(self, inputs):
        # A thread of BLAS would not be there after a fork.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.children", str(inputs)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment, text=True,
        )  # fmt: skip

    def run(self, place, layout, *, at=0, after=None, number=signal.SIGKILL):
        """Run the job in a process of its own; gives its code.

        Parameters
        ----------
        at : int
            The operation at which it is killed.
        after : float
            Seconds after which it gets a signal instead.
        number : int
            Which.
        """
        order = {"place": str(place), "layout": layout, "at": at, "after": after, "number": number}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self._process:
            self._process.stdin.close()


def main():
    """Fork for each line."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.getLogger("rnnstates").setLevel(logging.ERROR)
    small = Small(Path(sys.argv[1]))
    # What was imported is not looked through, and so not copied, by any child.
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        # Python mends its locks behind a fork; a signal must wait until it has.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        child = os.fork()
        if not child:
            _run(small, order)
        if order["after"] is not None:
            time.sleep(order["after"])
            os.kill(child, order["number"])
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(small, order):
    """Be the child."""
    code = BUG
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        system = Faulty("SIGKILL", order["at"])
        outcome = small.run(Path(order["place"]), order["layout"], system)
        code = DONE if outcome.error is None else MEANT + list(MOMENTS).index((system.log or ["M0"])[-1])
    except KeyboardInterrupt:
        # Before the run began, or after it had ended.
        code = MEANT
    except BaseException as reason:
        if isinstance(reason.__cause__, KeyboardInterrupt):
            # Python itself makes another error of it, where a class is being made by an import.
            code = MEANT
        else:
            traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
