"""Every engine and every peer, arrays to arrays: ``python benchmarks/engines.py [--runs 5] [--cases small,medium]``.

Also ``--peers "torch nn.LSTM,JAX scan"`` (the others are left out), ``--limit 120`` (seconds that the first two runs
of a way may take), ``--quick`` (two small cases, three runs), ``--folder`` (for the inputs meanwhile), ``--name``.
``--add`` keeps the cases of an earlier run that are not run now.
Each contestant has a process of its own, is checked against the equations, tries every way its documentation offers,
and keeps the fastest, and the fastest in one batch; then all take turns. Writes results/engines.md, .json and
throughput.svg.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import plot
import report
from cases import CASES, SMALL_CASES, Case
from limits import LIMITS
from ours import OURS
from peers import PEERS
from peers.base import Peer
from timing import Outcome, contest, tell

PLOTTED = ("small", "medium", "large")

INTRODUCTION = """# Engines: arrays in, arrays out

{machine} {day}. Same float32 inputs and weights for all; ragged lengths are uniform from a tenth to all of the steps.
Each contestant is checked against the equations in float64, tries every way its documentation offers and runs in the
fastest, and once more in one batch; all take turns. `gives` says which states of every step come out. The limit is all
valid steps as products of 64 rows, one thread a core, and nothing else; with one sequence each step is a call from
Python, which a compiled loop can beat.

Cases, (features, units), sequences x steps:"""

NOTES = """Times as fast (above 1: rnnstates, with all c and h, is ahead), from medians. "In one batch" is how the
documentation of the libraries shows it, lengths given; "batched as it is fastest" lets each peer have rnnstates' own
remedy, batches of similar length side by side, where that is faster:"""


def contestants(wanted: str | None) -> dict[str, Peer]:
    """Take all of them, or ours, the limits and the peers named."""
    if wanted is None:
        return {**OURS, **PEERS, **LIMITS}
    return {**OURS, **{name: PEERS[name] for name in wanted.split(",") if name}, **LIMITS}


def text(table: Mapping[str, list[Outcome]], chosen: Mapping[str, Case]) -> str:
    """Write the report."""
    legend = "\n".join(
        f"- {name}: (features, units), sequences x steps = {case.title}; {_rounds(table[name])} rounds"
        for name, case in chosen.items()
    )
    introduction = INTRODUCTION.format(machine=report.about(report.machine()), day=report.today())
    tables = [report.times(table), NOTES, report.ratios(table), report.choices(table), report.failures(table)]
    return "\n\n".join([introduction, legend, *tables]).rstrip()


def _rounds(outcomes: list[Outcome]) -> int:
    return max(len(outcome.seconds) for outcome in outcomes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, help="rounds (default: 5; 3 with --quick)")
    parser.add_argument("--cases", help=f"among {','.join(CASES)} (default: all)")
    parser.add_argument("--peers", help="which peers, by name, separated by commas (default: all)")
    parser.add_argument("--limit", type=float, default=120, help="seconds for two runs (default: 120)")
    parser.add_argument("--quick", action="store_true", help="two small cases")
    parser.add_argument("--folder", type=Path, help="where to put the inputs meanwhile (default: the system's)")
    parser.add_argument("--name", default="engines", help="of the files in results/ (default: engines)")
    parser.add_argument("--add", action="store_true", help="keep other cases of an earlier run")
    options = parser.parse_args()
    known = SMALL_CASES if options.quick else CASES
    chosen = {name: known[name] for name in (options.cases or ",".join(known)).split(",")}
    runs = options.runs or (3 if options.quick else 5)
    peers = contestants(options.peers)
    table = report.earlier(options.name) if options.add else {}
    for name, case in chosen.items():
        tell(f"{name}: {case.title}")
        table[name] = contest(case, peers, runs=runs, limit=options.limit, folder=options.folder)
        table = {case: table[case] for case in known if case in table}
        # After each case: the whole takes an hour, and may be stopped.
        keep(table, known, name=options.name)
    print((report.RESULTS / f"{options.name}.md").read_text())
    if not options.quick and any(name in table for name in PLOTTED):
        plot.draw({name: table[name] for name in PLOTTED if name in table}, report.RESULTS / "throughput.svg")


def keep(table: Mapping[str, list[Outcome]], known: Mapping[str, Case], *, name: str) -> None:
    """Write what there is so far."""
    content = {"machine": report.machine(), "cases": report.as_json(table)}
    report.save(name, text(table, {case: known[case] for case in table}), content, show=False)


if __name__ == "__main__":
    main()
