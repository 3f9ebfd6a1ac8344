"""Whether two jobs are the same, and in what they differ. Pure."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

__all__ = ["differences"]

MOST_SHOWN = 5
LONGEST = 60
DERIVED = ("plan.", "hidden_widths ", "executors.", "weights.fingerprint ", "weights.layers ", "weights.gate_order ")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Tell what differs between two descriptions in JSON types, with both values; nothing where they are the same.

    Examples
    --------
    >>> differences({"dtype": "float32", "input": {"size": 8}}, {"dtype": "float32", "input": {"size": 9}})
    'input.size was 8, is 9'
    """
    # What follows from the others comes last.
    told = sorted(_differences(dict(before), dict(now), ""), key=lambda text: text.startswith(DERIVED))
    more = len(told) - MOST_SHOWN
    return "; ".join(told[:MOST_SHOWN] + ([f"and {more} more"] if more > 0 else []))


def _differences(before: Any, now: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted(before.keys() | now.keys()):
            yield from _differences(before.get(name), now.get(name), f"{path}.{name}".strip("."))
    elif before != now:
        yield f"{path} was {_shown(path, before)}, is {_shown(path, now)}"


def _shown(path: str, value: Any) -> str:
    if path.endswith("mtime_ns") and type(value) is int:
        with suppress(ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(value / 1e9, timezone.utc).isoformat()
    text = repr(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
