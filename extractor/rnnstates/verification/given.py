"""What a verification may be told, and where it looks for what it is not told."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Given", "NotFound", "changes", "is_readable", "places"]


class NotFound(Exception):  # noqa: N818 - never seen outside; becomes the reason why nothing was recomputed
    """Something the states were made from is not there; the text says what, and the option that names it."""


@dataclass(frozen=True)
class Given:
    """What the caller names in place of what provenance says; None for that.

    Parameters
    ----------
    inputs, weights, initial_state
        As ``extract`` takes them.
    options : mapping
        What ``load_weights`` takes beside the path, in place of the recorded ones.
    """

    inputs: Any = None
    weights: Any = None
    initial_state: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)


def places(recorded: str, path: str) -> Iterator[str]:
    """Yield where a file of a recorded name may lie: there, or there seen from the states file."""
    yield recorded
    if not Path(recorded).is_absolute():
        yield os.fspath(Path(path).parent / recorded)


def is_readable(place: str) -> bool:
    """Tell whether an ordinary file is there to be read; whatever else has the name might block or never end."""
    return Path(place).is_file() and os.access(place, os.R_OK)


def changes(now: Mapping[str, Any], recorded: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Name what differs between two identities, with both values; empty where nothing does.

    Examples
    --------
    >>> changes({"size": 3}, {"size": 4}, ("size",))
    'size is 3, was 4'
    """
    return "; ".join(
        f"{name} is {now.get(name)}, was {recorded.get(name)}" for name in names if now.get(name) != recorded.get(name)
    )
