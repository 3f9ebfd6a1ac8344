"""Compares the descriptions of two jobs, and explains why one cannot resume the other. Pure."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

__all__ = ["differences", "mismatch", "unrecorded"]

MOST_SHOWN = 5
LONGEST = 60
DERIVED = (
    "plan.", "hidden_widths ", "executors.", "weights.fingerprint ", "weights.layers ", "weights.gate_order ",
    "arithmetic.", "arithmetic.kernel.digest ",
)  # fmt: skip
# Parts that describe the machine and its installation, not the job.
SURROUNDINGS = ("arithmetic", "device", "libraries", "python", "rnnstates")
# What earlier versions did not record: its path, the path of what they recorded for such a job, and its description.
LATER = (
    (("arithmetic",), (), "the kernel and the libraries that computed it"),
    (("weights", "architecture_sha256"), ("weights", "weights_sha256"), "the architecture of the model"),
)


def mismatch(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Explain why this run cannot resume an unfinished one, and what to do; empty if it can.

    Parameters
    ----------
    before, now : mapping
        Everything that the results depend on, in JSON types, as the unfinished run recorded it and as it is now.
    """
    if not (found := differences(before, now)):
        return ""
    if missing := unrecorded(before, now):
        version = _shown("rnnstates", before.get("rnnstates"))
        return (
            f"was begun by rnnstates {version}, which did not record {missing}, so identical bytes cannot be promised. "
            "Finish it with that version where it was begun, start over with restart=True, or choose another output."
        )
    if all(before.get(name) == now.get(name) for name in (before.keys() | now.keys()) - set(SURROUNDINGS)):
        return (
            f"was begun on another machine or with other libraries, which may round differently: {found}. Resume it "
            "where it was begun, start over with restart=True, or choose another output."
        )
    return (
        f"was begun by a different job: {found}. Run that one again, discard its work with restart=True, or choose "
        "another output."
    )


def unrecorded(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """List what this version records and the earlier one did not; empty if nothing."""
    return next(
        (why for path, known, why in LATER if _has(now, path) and _has(before, known) and not _has(before, path)),
        "",
    )


def _has(recorded: object, path: tuple[str, ...]) -> bool:
    for name in path:
        if not isinstance(recorded, Mapping) or name not in recorded:
            return False
        recorded = recorded[name]
    return True


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Describe how two descriptions in JSON types differ, with both values; empty if they are equal.

    Examples
    --------
    >>> differences({"dtype": "float32", "input": {"size": 8}}, {"dtype": "float32", "input": {"size": 9}})
    'input.size was 8, is 9'
    """
    # Consequences of other differences come last.
    found = sorted(_differences(dict(before), dict(now), ""), key=_last)
    more = len(found) - MOST_SHOWN
    return "; ".join(found[:MOST_SHOWN] + ([f"and {more} more"] if more > 0 else []))


def _last(text: str) -> int:
    """Rank consequences after what they follow from."""
    return sum(text.startswith(start) for start in DERIVED)


def _differences(before: object, now: object, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted(before.keys() | now.keys()):
            yield from _differences(before.get(name), now.get(name), f"{path}.{name}".strip("."))
    elif before != now:
        yield f"{path} was {_shown(path, before)}, is {_shown(path, now)}"


def _shown(path: str, value: object) -> str:
    if path.endswith("mtime_ns") and type(value) is int:
        with suppress(ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(value / 1e9, timezone.utc).isoformat()
    text = repr(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
