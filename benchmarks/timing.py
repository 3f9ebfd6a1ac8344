"""Taking turns: every contestant once a round, so that a busy moment of the machine hits all of them alike."""

import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import cases
import check
from contestant import Contestant, Failed
from peers.base import Peer, version

# Idle threads of the one who ran last go on spinning, those of OpenMP for 0.2 s by default.
PAUSE = 0.6


class Outcome(NamedTuple):
    """What came of one contestant on one case.

    ``seconds`` are those of each run in its fastest way, ``batch_seconds`` of each run in its fastest way that gives
    all sequences at once; where there are none, ``failed`` says why.
    """

    name: str
    gives: str
    exact: bool
    version: str
    way: str = ""
    difference: float | None = None
    seconds: tuple[float, ...] = ()
    batch_way: str = ""
    batch_seconds: tuple[float, ...] = ()
    failed: str = ""
    tried: Mapping[str, Any] = {}

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    @property
    def batch_median(self) -> float:
        """Seconds, in one batch."""
        return statistics.median(self.batch_seconds)


def contest(case: cases.Case, peers: Mapping[str, Peer], *, runs: int, limit: float, folder: Path) -> list[Outcome]:
    """Run one case ``runs`` times with every contestant, after choosing how each runs best."""
    with TemporaryDirectory(dir=folder) as place:
        cases.write(case, Path(place))
        check.save(check.expect(cases.read(Path(place))), Path(place))
        contestants = [Contestant(name, peer, Path(place), limit) for name, peer in peers.items()]
        try:
            return take_turns(contestants, runs=runs, alone=case.alone)
        finally:
            for contestant in contestants:
                contestant.rest()


def take_turns(contestants: list[Contestant], *, runs: int, alone: bool) -> list[Outcome]:
    failed = _choose(contestants, alone=alone)
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for turn in range(runs):
        # Another one begins each round, and nobody always runs after the same.
        begin = turn * len(contestants) // runs
        for contestant in contestants[begin:] + contestants[:begin]:
            if contestant.name in failed:
                continue
            try:
                for way in _both(contestant):
                    time.sleep(PAUSE)
                    seconds[contestant.name, way].append(contestant.run(way))
            except Failed as reason:
                failed[contestant.name] = str(reason)
            if alone:
                contestant.rest()
    return [_outcome(c, seconds, failed.get(c.name, "")) for c in contestants]


def _both(contestant: Contestant) -> list[str]:
    """Name the ways that a contestant runs in: the fastest, and the fastest in one batch; once, if that is one."""
    return [contestant.way, *({contestant.in_one_batch} - {"", contestant.way})]


def _choose(contestants: Iterable[Contestant], *, alone: bool) -> dict[str, str]:
    """Let each choose its fastest way; name those that cannot run, and why."""
    failed = {}
    for contestant in contestants:
        try:
            if version(contestant.peer) is None:
                raise Failed(f"not installed: {' and '.join(contestant.peer.distributions)}")
            contestant.choose()
            tell(f"  {contestant.name}: {contestant.way or 'ready'} {json.dumps(contestant.tried)}")
        except Failed as reason:
            failed[contestant.name] = str(reason)
            tell(f"  {contestant.name}: {reason}")
        if alone or contestant.name in failed:
            contestant.rest()
    return failed


def _outcome(contestant: Contestant, seconds: Mapping[tuple[str, str], list[float]], failed: str) -> Outcome:
    peer, name, batch = contestant.peer, contestant.name, contestant.in_one_batch
    return Outcome(
        name, peer.gives, peer.exact, version(peer) or "", contestant.way, contestant.difference,
        () if failed else tuple(seconds[name, contestant.way]),
        batch, () if failed or not batch else tuple(seconds[name, batch]), failed, contestant.tried,
    )  # fmt: skip


def tell(text: str) -> None:
    """Say on standard error how far it is."""
    print(text, file=sys.stderr, flush=True)
