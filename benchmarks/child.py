"""Run a command and measure it: seconds, and the most memory it held."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# A new process starts with its parent's peak as its own (Linux hands it over at exec), so the command is started by
# this small Python, not by a benchmark that has NumPy loaded. Its own 10 MB are the least that can be measured.
STARTER = """
import json, os, sys, time
with open(os.devnull, "r+b") as nowhere, open(sys.argv[1], "wb") as messages:
    files = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 0), (os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1),
             (os.POSIX_SPAWN_DUP2, messages.fileno(), 2)]
    start = time.perf_counter()
    child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, file_actions=files)
    _, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - start
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss * 1024 / 1e6]))
"""

# The console script that was installed beside the running Python.
RNNSTATES = str(Path(sys.executable).parent / "rnnstates")


class Measured(NamedTuple):
    """One run: wall-clock seconds, and the peak of resident memory in MB (10^6 bytes)."""

    seconds: float
    peak_mb: float


def measure(command: Sequence[str], messages: Path) -> Measured:
    """Run a command to its end.

    Parameters
    ----------
    command : sequence of str
        The program's path and its arguments. It reads nothing, and what it prints is dropped.
    messages : Path
        Where its stderr goes.

    Raises
    ------
    SystemExit
        It failed; with its last words.
    """
    starter = [sys.executable, "-I", "-S", "-c", STARTER, str(messages), *command]
    answer = subprocess.run(starter, check=True, capture_output=True, text=True)
    code, seconds, peak_mb = json.loads(answer.stdout)
    if code:
        words = messages.read_text(errors="replace")[-2000:]
        raise SystemExit(f"{' '.join(command)}\nended with exit code {code}:\n{words}")
    return Measured(seconds, peak_mb)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table, numbers to the right."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
