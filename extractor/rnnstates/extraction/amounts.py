"""Parses sizes and durations as people write them (``512M``, ``1h30m``)."""

import re
import time

from ..errors import OptionError

__all__ = ["end_of", "parse_duration", "parse_size"]

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
# A hundred years or more is no limit; Python could not wait much longer.
ENDLESS = 100 * 365 * 86400
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_size(text: str) -> int:
    """Read a number of bytes.

    Raises
    ------
    OptionError
        It is not a number, optionally followed by K, M, G or T.

    Examples
    --------
    >>> parse_size("1.5G")
    1610612736
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise OptionError(f"memory={text!r}: not a size; write 512M or 2G.")
    return int(min(float(match[1]) * UNITS[match[2].upper()], 2.0**63))


def end_of(max_runtime: float | str | None) -> float | None:
    """Return when a run that begins now must stop, by ``time.monotonic``; None for never.

    Raises
    ------
    OptionError
        It is not a duration, or not positive.
    """
    if max_runtime is None:
        return None
    seconds = parse_duration(max_runtime) if isinstance(max_runtime, str) else float(max_runtime)
    if not seconds > 0:
        raise OptionError(f"max_runtime={max_runtime!r}: expected more than 0 seconds.")
    return time.monotonic() + seconds if seconds < ENDLESS else None


def parse_duration(text: str) -> float:
    """Read a number of seconds.

    Raises
    ------
    OptionError
        It is none of these: a number, optionally with s, m, h or d; several of those; hours:minutes:seconds.

    Examples
    --------
    >>> parse_duration("90"), parse_duration("1h30m"), parse_duration("23:59:00")
    (90.0, 5400.0, 86340.0)
    """
    plain = text.strip().lower()
    if re.fullmatch(r"\d+:\d{1,2}(:\d{1,2})?", plain):
        hours, minutes, *seconds = map(float, plain.split(":"))
        return hours * 3600 + minutes * 60 + sum(seconds)
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", plain)
    if (
        not parts
        or "".join(number + unit for number, unit in parts) != plain
        or (len(parts) > 1 and not all(unit for _, unit in parts))
    ):
        raise OptionError(f"max_runtime={text!r}: not a duration; write 45m, 1h30m, 23:30:00 or seconds.")
    return sum(float(number) * SECONDS[unit] for number, unit in parts)
