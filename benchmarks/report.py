"""Results as Markdown and JSON."""

import datetime
import itertools
import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from child import markdown
from timing import Outcome

RESULTS = Path(__file__).with_name("results")

Table = Mapping[str, Sequence[Outcome]]


def machine() -> dict[str, Any]:
    """Describe where it runs: processor, what it can, cores, versions."""
    cpu = Path("/proc/cpuinfo").read_text()
    fields = dict(line.split(":", 1) for line in cpu.split("\n\n")[0].splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_tile")
    return {
        "cpu": fields.get("model name", platform.processor()),
        "instructions": [flag for flag in wanted if flag in fields.get("flags", "").split()],
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
        "rnnstates": metadata.version("rnnstates"),
    }


def about(here: Mapping[str, Any]) -> str:
    """Say in one line what ``machine`` found."""
    can = ", ".join(here["instructions"]) or "no AVX"
    return (
        f"{here['cpu']} ({can}), {here['cores']} cores, Python {here['python']}, NumPy {here['numpy']}, "
        f"rnnstates {here['rnnstates']}."
    )


def today() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


def save(name: str, text: str, content: Mapping[str, Any], *, show: bool = True) -> None:
    """Keep a report as Markdown and as JSON, and print it."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text + "\n")
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    if show:
        print(text)


def times(table: Table) -> str:
    """Lay out milliseconds, median and range of the runs: a row a contestant, a column a case."""
    head = ["milliseconds: median (least to most)", "gives", *table]
    names = {outcome.name: outcome.gives for outcomes in table.values() for outcome in outcomes}
    found = {(case, outcome.name): outcome for case, outcomes in table.items() for outcome in outcomes}
    rows = []
    for name, gives in names.items():
        of_peer = [found.get((case, name)) for case in table]
        rows.append([name, gives, *(_time(outcome, outcome.seconds) if outcome else "" for outcome in of_peer)])
        if any(outcome and outcome.batch_way not in ("", outcome.way) for outcome in of_peer):
            batch = (_time(outcome, outcome.batch_seconds) if outcome else "" for outcome in of_peer)
            rows.append([f"{name}, in one batch", gives, *batch])
    return markdown(head, rows)


def _time(outcome: Outcome, seconds: Sequence[float]) -> str:
    if not seconds:
        return outcome.failed if outcome.failed.startswith("over") else "no"
    median, least, most = (_milliseconds(f(seconds)) for f in (statistics.median, min, max))
    return f"{median} ({least} to {most})"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.{2 if seconds < 0.01 else 1 if seconds < 0.1 else 0}f}"


def ratios(table: Table) -> str:
    """Lay out how many times as fast each of our engines is as the fastest peers, and its share of the limit."""
    head = [
        "case", "engine", "in one batch, to the fastest with h", "", "to the fastest with c + h", "",
        "batched as it is fastest, to the fastest with h", "", "to the fastest with c + h", "", "share of the limit",
    ]  # fmt: skip
    rows = []
    for case, outcomes in table.items():
        ours = [o for o in outcomes if o.name.startswith("rnnstates") and o.seconds and o.exact]
        rows += [[case, own.name.removeprefix("rnnstates "), *_compared(own, outcomes)] for own in ours]
    return markdown(head, rows)


def _compared(own: Outcome, outcomes: Sequence[Outcome]) -> list[str]:
    kinds = (("h", "c+h"), ("c+h",))
    found = [_in_one_batch(own, outcomes, kind) for kind in kinds] + [_ratio(own, fastest(outcomes, k)) for k in kinds]
    limit = fastest(outcomes, ("limit",))
    return [*itertools.chain(*found), f"{limit.median / own.median:.2f}" if limit else ""]


def _ratio(own: Outcome, best: Outcome | None) -> tuple[str, str]:
    return (f"{best.median / own.median:.2f}", best.name) if best else ("", "")


def _in_one_batch(own: Outcome, outcomes: Sequence[Outcome], kinds: Sequence[str]) -> tuple[str, str]:
    """Compare with peers that get all sequences in one call, as documentation shows it."""
    able = [o for o in peers(outcomes, kinds) if o.batch_seconds]
    best = min(able, key=lambda outcome: outcome.batch_median, default=None)
    return (f"{best.batch_median / own.median:.2f}", best.name) if best else ("", "")


def fastest(outcomes: Sequence[Outcome], kinds: Sequence[str]) -> Outcome | None:
    """Find the fastest exact peer that gives one of these."""
    return min(peers(outcomes, kinds), key=lambda outcome: outcome.median, default=None)


def peers(outcomes: Sequence[Outcome], kinds: Sequence[str]) -> list[Outcome]:
    """List the exact peers that give one of these and ran."""
    return [o for o in outcomes if o.gives in kinds and o.exact and o.seconds and not o.name.startswith("rnnstates")]


def choices(table: Table) -> str:
    """Lay out the way that each peer ran fastest, and its largest difference from the equations in float64."""
    rows = [
        [o.name, o.version, case, o.way, "" if o.difference is None else f"{o.difference:.1e}"]
        for case, outcomes in table.items()
        for o in outcomes
        if o.seconds and o.gives != "limit"
    ]
    return markdown(["contestant", "versions", "case", "fastest way", "largest difference"], rows)


def failures(table: Table) -> str:
    """List who could not run, and why."""
    reasons = [(o.name, case, o.failed) for case, outcomes in table.items() for o in outcomes if o.failed]
    return "\n".join(f"- {name}, {case}: {reason}" for name, case, reason in reasons)


def as_json(table: Table) -> dict[str, Any]:
    """Every run of every contestant."""
    return {case: [outcome._asdict() for outcome in outcomes] for case, outcomes in table.items()}


def earlier(name: str) -> dict[str, list[Outcome]]:
    """Read again what was kept of the cases of an earlier run on the same machine with the same versions."""
    path = RESULTS / f"{name}.json"
    content = json.loads(path.read_text()) if path.exists() else {"machine": None}
    if content["machine"] != machine():
        return {}
    return {case: [Outcome(**outcome) for outcome in outcomes] for case, outcomes in content["cases"].items()}
