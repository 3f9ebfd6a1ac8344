"""Many runs of the command, each in a process of its own, for what importing everything once costs.

A process that has imported the command forks once per run, so that a run begins where any other would and ends as it
does, with all that libraries do when they are unloaded.
"""

import json
import subprocess
import sys
from typing import NamedTuple

__all__ = ["CLOSED_PIPE", "Ended", "run_each"]

CLOSED_PIPE = "closed pipe"
SERVER = f"""
import json, os, sys
import numpy, h5py, rnnstates.extraction.extract, rnnstates_cli.extract, rnnstates_cli.info
from rnnstates_cli.main import main

def run(place, words, script, streams):
    os.chdir(place)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv = ["rnnstates", *words]
    exec(script, {{}})
    main()

def opened(path):
    if path not in (None, "{CLOSED_PIPE}"):
        return None, os.open(path, os.O_WRONLY)
    read, write = os.pipe()
    if path is None:
        return open(read, "rb"), write
    os.close(read)
    return None, write

for place, words, script, paths in json.load(sys.stdin):
    pipes, streams = zip(*map(opened, paths))
    child = os.fork()
    if not child:
        run(place, words, script, streams)
    for stream in streams:
        os.close(stream)
    printed = [pipe.read().decode() if pipe else "" for pipe in pipes]
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), *printed]), flush=True)
"""


class Ended(NamedTuple):
    """How a run ended, and what it printed where nothing else took that."""

    returncode: int
    stdout: str
    stderr: str


def run_each(runs):
    """Run the command once per (place, words, lines of Python before it, streams), in that order.

    Streams are what standard output and standard error are, by name: a path or ``CLOSED_PIPE``.
    """
    given = [
        (str(place), words, script, [streams.get(name) for name in ("stdout", "stderr")])
        for place, words, script, streams in runs
    ]
    done = subprocess.run(
        [sys.executable, "-c", SERVER], input=json.dumps(given), capture_output=True, text=True, check=True, timeout=120
    )
    return [Ended(*json.loads(line)) for line in done.stdout.splitlines()]
