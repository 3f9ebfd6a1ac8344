"""Whether products in bfloat16 are worth having here: what the processor can do, and what it was measured to take."""

import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["NAME", "cpu_flags", "unavailable", "unprofitable", "unsupported"]

NAME = "bfloat16"
# Instructions that multiply bfloat16: Intel's and AMD's vectors, Intel's tiles, ARM's.
INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")
CPUINFO = Path("/proc/cpuinfo")
# A measurement ends after this long (seconds), but not before both precisions ran so many times.
BUDGET = 0.03
TIMES = 3
# On a busy machine one measurement may say anything: a refusal takes so many in a row.
ROUNDS = 3


def cpu_flags() -> frozenset[str] | None:
    """Name what the processor can do, as Linux calls it; None where the system does not tell.

    Examples
    --------
    >>> flags = cpu_flags()
    >>> flags is None or len(flags) > 0
    True
    """
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return None
    named = (line.partition(":") for line in lines)
    flags = (words.split() for name, _, words in named if name.strip() in ("flags", "Features"))
    return frozenset(next(flags, [])) or None


def unsupported() -> str | None:
    """Say why this processor has no products in bfloat16; None if it has them, or nothing is known of it."""
    flags = cpu_flags()
    if flags is None or not flags.isdisjoint(INSTRUCTIONS):
        return None
    return "this processor has neither avx512_bf16 nor amx_bf16, so products in it would be emulated and slower"


def unprofitable(multiply: Callable[[str], object], size: str) -> str | None:
    """Say that products in bfloat16 are no faster; None if they are.

    Parameters
    ----------
    multiply : callable
        ``multiply(precision)`` multiplies once in ``float32`` or ``bfloat16`` and waits for the result.
    size : str
        Of the product, for the message: ``64 x 320 by 320 x 1024``.
    """
    for _ in range(ROUNDS):
        plain, rounded = _seconds(multiply)
        if rounded < plain:
            return None
    return (
        f"measured here: bfloat16 products take {rounded / plain:.1f} times as long as float32 ones at this layer's "
        f"size ({size}), so there is nothing to gain"
    )


def unavailable(multiply: Callable[[str], object], size: str) -> str | None:
    """Say why bfloat16 is not to be had on this processor, by what it can do or by what it takes; None if it is."""
    return unsupported() or unprofitable(multiply, size)


def _seconds(multiply: Callable[[str], object]) -> tuple[float, float]:
    """Measure the best times of a product in float32 and bfloat16, taking turns so that a busy machine slows both."""
    best = {"float32": float("inf"), NAME: float("inf")}
    for precision in best:
        multiply(precision)
    end, runs = time.perf_counter() + BUDGET, 0
    while runs < TIMES or time.perf_counter() < end:
        for precision in best:
            start = time.perf_counter()
            multiply(precision)
            best[precision] = min(best[precision], time.perf_counter() - start)
        runs += 1
    return best["float32"], best[NAME]
