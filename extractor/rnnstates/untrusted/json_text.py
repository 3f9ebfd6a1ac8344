"""Parses JSON of unknown origin: bounded in size and depth, with an object at the top."""

import json
from typing import Any

from ..errors import BadWeights

__all__ = ["LARGEST_JSON", "has_lone_surrogates", "parse_json"]

# The configuration of a model with ten thousand layers has some tens of megabytes.
LARGEST_JSON = 64 * 2**20
# One with a thousand layers has some thirty thousand objects and lists and a hundred thousand values; a vocabulary adds
# some hundred thousand. An empty object takes two characters in a file and sixty bytes of memory.
MOST_OBJECTS, MOST_VALUES = 500_000, 2_000_000


def has_lone_surrogates(parsed: object, text: bytes | str) -> bool:
    """Return whether a string in it cannot be encoded; only an escape can cause that."""
    escape = b"\\ud" if isinstance(text, bytes) else "\\ud"
    if escape not in text.lower():  # type: ignore[operator]
        return False
    try:
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def parse_json(text: bytes | str, where: str) -> dict[str, Any]:
    """Parse a JSON object.

    Raises
    ------
    BadWeights
        It is too large, too deep, has more objects or values than any model's, is not JSON, or not an object.
    """
    if len(text) > LARGEST_JSON:
        raise BadWeights(f"{where}: has {len(text)} characters; expected at most {LARGEST_JSON}. It is refused.")
    _check_counts(text, where)
    try:
        parsed = json.loads(text)
    except RecursionError as reason:
        raise BadWeights(f"{where}: is nested too deeply for a model's description; it is refused.") from reason
    except (ValueError, UnicodeDecodeError) as reason:
        raise BadWeights(f"{where}: is not JSON ({reason}); the file is damaged, save the model again.") from reason
    if has_lone_surrogates(parsed, text):
        raise BadWeights(f"{where}: has invalid characters (lone surrogates); the file is damaged.")
    if not isinstance(parsed, dict):
        raise BadWeights(f"{where}: holds a JSON {type(parsed).__name__}; expected an object.")
    return parsed


def _check_counts(text: bytes | str, where: str) -> None:
    """Refuse too many objects before they are created; brackets inside strings count too, but are few."""
    if isinstance(text, bytes):
        objects, values = text.count(b"{") + text.count(b"["), text.count(b",")
    else:
        objects, values = text.count("{") + text.count("["), text.count(",")
    if objects > MOST_OBJECTS or values > MOST_VALUES:
        raise BadWeights(
            f"{where}: has {objects:,} objects and lists and {values:,} values; expected at most "
            f"{MOST_OBJECTS:,} and {MOST_VALUES:,} of a model's description. Save the recurrent layers as a separate "
            "model."
        )
