"""Many scripts, each in a process of its own, for what importing everything once costs.

A process that has run the lines they share forks once per script, so that each begins where any other would and ends as
it does, with all that libraries do when they are unloaded.
"""

import json
import subprocess
import sys
from typing import NamedTuple

__all__ = ["CLOSED_PIPE", "Ended", "Run", "run_each"]

CLOSED_PIPE = "closed pipe"
SERVER = f"""
import gc, json, os, sys

def run(script, place, streams):
    os.chdir(place)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    exec(script, {{"__name__": "__main__"}})
    sys.exit()

def opened(path):
    if path not in (None, "{CLOSED_PIPE}"):
        return None, os.open(path, os.O_WRONLY)
    read, write = os.pipe()
    if path is None:
        return open(read, "rb"), write
    os.close(read)
    return None, write

first, runs = json.load(sys.stdin)
exec(first, {{"__name__": "__main__"}})
# To look through all that was imported takes seconds of each process that ends.
gc.freeze()
for script, place, *paths in runs:
    pipes, streams = zip(*map(opened, paths))
    child = os.fork()
    if not child:
        run(script, place, streams)
    for stream in streams:
        os.close(stream)
    printed = [pipe.read().decode() if pipe else "" for pipe in pipes]
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), *printed]), flush=True)
"""


class Run(NamedTuple):
    """A script, where it runs, and what its streams are: a path, ``CLOSED_PIPE``, or None for what ``Ended`` has."""

    script: str
    place: str = "."
    stdout: str | None = None
    stderr: str | None = None


class Ended(NamedTuple):
    """How a run ended, and what it printed where nothing else took that."""

    returncode: int
    stdout: str
    stderr: str


def run_each(first, runs):
    """Run some lines of Python once, and in forks of that process one script after the other.

    Gives what the lines wrote to standard error, and how each script ended. To standard output they write nothing.
    """
    done = subprocess.run(
        [sys.executable, "-c", SERVER],
        input=json.dumps([first, list(runs)]),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr, [Ended(*json.loads(line)) for line in done.stdout.splitlines()]
