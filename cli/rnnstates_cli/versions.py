"""``rnnstates --show-versions``: formats the versions that a bug report needs."""

from typing import Any

__all__ = ["lines_of"]


def lines_of(found: dict[str, Any]) -> list[str]:
    """Lay out the result of ``rnnstates.versions``, one line each.

    Examples
    --------
    >>> lines_of({"rnnstates": "1.0", "tensorflow": None, "kernel": {"used": "avx2", "runs": ["plain", "avx2"]}})
    ['rnnstates: 1.0', 'tensorflow: not installed', 'kernel:', '  used: avx2', '  runs: plain, avx2']
    """
    lines: list[str] = []
    for name, value in found.items():
        if isinstance(value, dict):
            lines += [f"{name}:", *(f"  {line}" for line in lines_of(value))]
        elif isinstance(value, list):
            lines.append(f"{name}: {', '.join(value) or 'none'}")
        else:
            lines.append(f"{name}: {'not installed' if value is None else value}")
    return lines
