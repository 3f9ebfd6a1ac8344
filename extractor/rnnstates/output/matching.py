"""Whether two jobs are the same, and in what they differ. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["differences"]

MOST_SHOWN = 5
LONGEST = 60


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Tell what differs between two descriptions in JSON types, with both values; nothing where they are the same.

    Examples
    --------
    >>> differences({"dtype": "float32", "input": {"size": 8}}, {"dtype": "float32", "input": {"size": 9}})
    'input.size was 8, is 9'
    """
    told = list(_differences(dict(before), dict(now), ""))
    more = len(told) - MOST_SHOWN
    return "; ".join(told[:MOST_SHOWN] + ([f"and {more} more"] if more > 0 else []))


def _differences(before: Any, now: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted(before.keys() | now.keys()):
            yield from _differences(before.get(name), now.get(name), f"{path}.{name}".strip("."))
    elif before != now:
        yield f"{path} was {_shown(before)}, is {_shown(now)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
