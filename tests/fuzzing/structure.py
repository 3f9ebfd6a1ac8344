"""Changing a file inside its structure, so that a changed byte does not die at a checksum or a length before it.

``changed`` takes a file apart by what it is (an archive, a table of TensorFlow, a header and its data, JSON), changes
one part, which may have parts itself, and puts it together again with lengths and checksums that are right.
"""

import json
import random
from collections.abc import Callable
from typing import Any

from .forms import FORMS, Parts

__all__ = ["changed"]

# What a value of JSON becomes.
ODD = (
    None,
    True,
    -1,
    0,
    1,
    2**70,
    1.5,
    1e999,
    "",
    "tanh",
    "LSTM",
    "a/b",
    [],
    {},
    [[]],
    "\x00",
    "\ud800",
    [["a", 0, 0]],
)
# How often a part is changed rather than the whole.
INSIDE, DROPPED, COPIED = 0.85, 0.03, 0.06
CHANGES = (1, 1, 1, 2, 3)

Change = Callable[[bytes], bytes]


def changed(content: bytes, change: Change, chance: random.Random) -> bytes:
    """Change some parts of a file, or all of it as it is.

    Parameters
    ----------
    content : bytes
    change : callable
        Changes bytes without a structure.
    chance : random.Random
    """
    form = next((form for form in FORMS.values() if form.recognise(content)), None)
    if form is None or chance.random() > INSIDE:
        return _changed_json(content, change, chance) if content[:1] in (b"{", b"[") else change(content)
    try:
        parts = form.split(content)
    except Exception:  # whatever a damaged file makes of it
        return change(content)
    if not parts:
        return change(content)
    for _ in range(chance.choice(CHANGES)):
        _change_part(parts, change, chance)
    return form.join(parts)


def _change_part(parts: Parts, change: Change, chance: random.Random) -> None:
    name, what = chance.choice(list(parts)), chance.random()
    if what < DROPPED and len(parts) > 1:
        del parts[name]
    elif what < COPIED:
        parts[name] = chance.choice(list(parts.values()))
    else:
        parts[name] = changed(parts[name], change, chance)


def _changed_json(content: bytes, change: Change, chance: random.Random) -> bytes:
    if chance.random() > INSIDE:
        return change(content)
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return change(content)
    places = list(_places(tree))
    if not places:
        return change(content)
    for _ in range(chance.choice(CHANGES)):
        holder, key = chance.choice(places)
        other, other_key = chance.choice(places)
        _change_value(holder, key, other.get(other_key) if isinstance(other, dict) else None, chance)
    try:
        return json.dumps(tree).encode()
    except (ValueError, RecursionError):  # a value that now holds itself
        return content


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found, waiting = [], [tree]
    while waiting:
        here = waiting.pop()
        pairs = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        for key, value in pairs:
            found.append((here, key))
            waiting.append(value)
    return found


def _change_value(holder: Any, key: Any, other: Any, chance: random.Random) -> None:
    """Give a value another one, that of another place, or none at all."""
    if isinstance(holder, list) and key >= len(holder):
        return
    what = chance.random()
    if isinstance(holder, dict) and what < 0.15:
        holder.pop(key, None)
    elif isinstance(holder, list) and what < 0.15:
        holder.insert(key, json.loads(json.dumps(holder[key])))
    elif what < 0.4:
        holder[key] = json.loads(json.dumps(other))
    elif isinstance(holder, dict) and what < 0.5:
        holder[str(chance.choice(ODD))] = holder.pop(key, None)
    else:
        holder[key] = chance.choice(ODD)
