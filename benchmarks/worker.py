"""One contestant in a process of its own: ``python benchmarks/worker.py NAME FOLDER``; started by ``contestant.py``.

Libraries fix their threads once a process, and their idle threads spin; so nobody shares one. The worker opens the
case in FOLDER, says in which ways it can run it, then answers requests, one JSON text a line.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cases
import check
from limits import LIMITS
from ours import OURS
from peers import PEERS
from peers.base import Run

CONTESTANTS = {**OURS, **PEERS, **LIMITS}
# A way to run is chosen by its best time; runs below SHORT seconds can be repeated for little.
SHORT, RETRIES = 1.0, 3


def attempt(run: Run, folder: Path) -> dict[str, Any]:
    """Run once, which compiles what there is to compile, and check the states; then time it, short runs more often."""
    parts = run()
    difference = check.largest_difference(parts, check.load(folder)) if parts else None
    del parts
    seconds = clocked(run)["seconds"]
    again = [clocked(run)["seconds"] for _ in range(RETRIES)] if seconds < SHORT else []
    return {"difference": difference, "seconds": min([seconds, *again])}


def clocked(run: Run) -> dict[str, Any]:
    """Take the time of one run; letting go of its states does not count."""
    gc.collect()
    start = time.perf_counter()
    parts = run()
    seconds = time.perf_counter() - start
    del parts
    return {"seconds": seconds}


def answers(name: str, folder: Path) -> Callable[[dict[str, str]], dict[str, Any]]:
    """Prepare the contestant; the function answers one request."""
    ways = CONTESTANTS[name].prepare(cases.read(folder))

    def answer(request: dict[str, str]) -> dict[str, Any]:
        if request["do"] == "list":
            return {"ways": list(ways)}
        run = ways[request["way"]]
        return attempt(run, folder) if request["do"] == "try" else clocked(run)

    return answer


def guarded(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Turn whatever a library raises into an answer: one peer's failure is a line of the table, not the end of it."""
    try:
        return call()
    except Exception as reason:
        return {"error": f"{type(reason).__name__}: {str(reason).splitlines()[0] if str(reason) else ''}"}


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    # Libraries print as they like; the pipe is for answers alone.
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    answer: Any = None

    def prepared(request: dict[str, str]) -> dict[str, Any]:
        nonlocal answer
        answer = answer or answers(name, folder)
        return answer(request)

    for line in sys.stdin:
        request = json.loads(line)
        pipe.write(json.dumps(guarded(lambda: prepared(request))) + "\n")  # noqa: B023


if __name__ == "__main__":
    main()
