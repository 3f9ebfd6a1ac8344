"""``rnnstates verify``: checks that a states file is complete, consistent and right."""

from collections.abc import Iterator
from typing import Any

import click

from .grouped import FILE, GroupedCommand, argument, option, with_options
from .options import JSON, LAYER, QUIET, RARE_WEIGHTS, SEED
from .reporting import json_text, note, worded

__all__ = ["verify"]

_OPTIONS = (
    option("--inputs", metavar="FILE", group="Input", type=FILE,
           help="What OUTPUT was made from, if it is no longer where OUTPUT says."),
    option("--weights", metavar="FILE", group="Weights", type=FILE, help="The weights, if they were moved."),
    LAYER,
    option("--initial-state", metavar="FILE", group="Weights", type=FILE,
           help="The initial states, if they were moved."),
    option("--full/--quick", default=True, show_default=True, group="Checks",
           help="Check every byte and value, or only the structure, the lengths and the sample."),
    option("--sample", type=click.IntRange(min=0), default=16, show_default=True, metavar="N", group="Checks",
           help="Number of sequences to recompute, the longest and the shortest among them; 0 for none."),
    option("--seed", type=SEED, default=0, show_default=True, metavar="N", group="Checks",
           help="Seed for choosing the other sequences."),
    JSON,
    QUIET,
    *RARE_WEIGHTS,
)  # fmt: skip

BYTES = {
    "right": "every byte as it was written",
    "by value": "every value as it was written",
    "absent": "no checksums",
    "not looked at": "bytes not checked",
}


@click.command(
    cls=GroupedCommand,
    short_help="Check OUTPUT, and recompute a sample of it in float64.",
    examples=("rnnstates verify out.h5", "rnnstates verify out.h5 --inputs moved/in.h5 --sample 100 --json"),
)
@argument("output", "OUTPUT", "A states file that extract wrote.")
@with_options(*_OPTIONS)
def verify(output: str, *, full: bool, as_json: bool, quiet: bool, **options: Any) -> str | list[str]:
    """Check that OUTPUT is complete and consistent, and recompute a sample of it in float64.

    Every byte is compared with the checksums in OUTPUT. Input and weights are those that OUTPUT names. Exits with 65
    if something is wrong or OUTPUT is not finished.
    """
    import rnnstates

    found = rnnstates.verify(output, quick=not full, **options)
    noticed = [] if quiet else found["notes"]
    for text in noticed:
        note(text)
    if found["reason"] and not quiet:
        note(f"no sequence was recomputed: {found['reason']}.")
    return json_text(worded(found)) if as_json else list(_lines(found))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    size = f"{found['sequences']} sequences, {found['steps']} steps"
    yield f"{found['file']}: complete; {size}; {BYTES[found['checksums']]}"
    recomputed = f"in {len(found['recomputed'])} sequences recomputed in float64"
    if found["precision"] == "bfloat16":
        recomputed = f"against the exact states, {recomputed}"
    for name, data in found["datasets"].items():
        compared = [
            f"{_plain(data[kind])} {where}"
            for kind, where in (("recomputed", recomputed), ("pooled", "from the stored states pooled again"))
            if data[kind] is not None
        ]
        if compared:
            what = "error" if found["precision"] == "bfloat16" else "difference"
            yield f"{name}: largest {what} {', '.join(compared)}"


def _plain(difference: float) -> str:
    return f"{difference:.1e}" if difference else "0"
