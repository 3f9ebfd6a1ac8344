"""Holding a contestant's process: starting it, asking it, choosing the fastest of its ways, ending it."""

import contextlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

from check import TOLERANCE
from peers.base import Peer

WORKER = Path(__file__).with_name("worker.py")
# How the name of a way ends that gives all sequences at once.
WHOLE = "whole"
# Every process keeps the memory that it was given once (glibc's words for it). A virtual machine may hand idle memory
# back to its host, and pays some 2 ms for each megabyte that it takes again: now and then, and whoever happens to run.
KEEPING = {"MALLOC_MMAP_THRESHOLD_": str(1 << 40), "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}


class Failed(Exception):  # noqa: N818
    """The contestant cannot run this case; the text says why."""


class Contestant:
    """One contestant on one case.

    Parameters
    ----------
    name : str
        As in the tables.
    peer : Peer
    folder : Path
        Where the case lies.
    limit : float
        Seconds after which an answer (a first run, which compiles, and a second) is no longer waited for.
    """

    def __init__(self, name: str, peer: Peer, folder: Path, limit: float) -> None:
        self.name, self.peer = name, peer
        self._folder, self._limit = folder, limit
        self._process: subprocess.Popen[str] | None = None
        self.way = self.in_one_batch = ""
        self._warm: set[str] = set()
        self.difference: float | None = None
        self.tried: dict[str, float | str] = {}

    def choose(self) -> None:
        """Try every way to run and keep the fastest one that is right; also the fastest of those in one batch.

        Raises
        ------
        Failed
            There is none.
        """
        for way in self._ask({"do": "list"}, self._limit)["ways"]:
            self.tried[way] = self._try(way)
        right = {way: seconds for way, seconds in self.tried.items() if isinstance(seconds, float)}
        if not right:
            raise Failed("; ".join(dict.fromkeys(map(str, self.tried.values()))))
        self.way = min(right, key=lambda way: right[way])
        whole = [way for way in right if way.endswith(WHOLE)]
        self.in_one_batch = min(whole, key=lambda way: right[way], default="")

    def _try(self, way: str) -> float | str:
        """Run one way; its seconds, or why it does not count."""
        try:
            answer = self._ask({"do": "try", "way": way}, self._limit)
        except Failed as reason:
            return str(reason)
        difference = answer["difference"]
        if self.peer.exact and difference is not None and not difference <= TOLERANCE:
            return f"wrong by {difference:.1e}"
        self._warm.add(way)
        if difference is not None:
            self.difference = max(difference, self.difference or 0.0)
        return float(answer["seconds"])

    def run(self, way: str) -> float:
        """Run once more; seconds. A process that was sent to rest is warmed up again."""
        if way not in self._warm:
            self._ask({"do": "run", "way": way}, self._limit)
            self._warm.add(way)
        return float(self._ask({"do": "run", "way": way}, self._limit)["seconds"])

    def rest(self) -> None:
        """End the process; the next request starts another."""
        self._warm.clear()
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(BrokenPipeError):
                self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(WORKER), self.name, str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self._folder / "messages.txt").open("a"),
            env={**os.environ, **KEEPING, **self.peer.environment},
            text=True,
        )

    def _ask(self, request: dict[str, str], limit: float) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        if self._process is None:
            self._process = self._start()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            self.rest()
            raise Failed("its process died") from None
        if not select.select([process.stdout], [], [], limit)[0]:
            self.rest()
            raise Failed(f"over {limit:.0f} s")
        line = process.stdout.readline()
        if not line:
            self.rest()
            raise Failed("its process died")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return dict(answer)
