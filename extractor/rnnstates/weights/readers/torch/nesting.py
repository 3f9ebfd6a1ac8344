"""Finds the weights in a checkpoint, at any depth of mappings and lists; keys become prefixes.

The usual keys around a state_dict (``state_dict``, ``model``, …) are removed where that is unambiguous. An optimizer's
state has the shapes of weights, but is skipped.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ....errors import BadWeights
from .beside import is_kept, is_one, shape_of, widths_of
from .data import Inert

__all__ = ["WRAPS", "found_tensors"]

# The usual keys around a state_dict.
WRAPS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "ema_state_dict", "weights", "params")
RECURRENT = re.compile(r"weight_(ih|hh)")
# Keys of training state: moments of gradients, schedules, random numbers.
_TRAINING = re.compile(
    r"optimi[sz]er|(?:^|_)(?:exp_avg|exp_avg_sq|momentum_buffer|schedulers?|grad_scaler|rng)(?:_|$)"
    r"|(?:^|_)opt(?:im|ims)?(?:_states?(?:_dict)?)?$|^(?:amp|callbacks|loops)$",
    re.IGNORECASE,
)
# Possible keys of it: opt_g is an optimizer, opt_flow a part of a model. Only recurrent weights are searched there.
_PERHAPS_TRAINING = re.compile(r"(?:^|_)(?:opt|optim|optims)_", re.IGNORECASE)
DEEPEST = 16
# How many keys may be searched again in objects that are stored once and referenced often.
MOST_REPEATED = 10**5

# A history may be a list of a million numbers.
_PLAIN = {float, int, bool, str, bytes, type(None)}

Path = tuple[str, ...]


class Holder(NamedTuple):
    """A mapping or list with arrays directly in it.

    Parameters
    ----------
    keys : tuple
        Those that lead to it.
    arrays : dict
        By name.
    identity : int
        Equal for references to one object in the file.
    """

    keys: tuple[str | int, ...]
    arrays: dict[str, Any]
    identity: int

    @property
    def path(self) -> Path:
        """The keys as text."""
        return tuple(map(str, self.keys))

    @property
    def is_recurrent(self) -> bool:
        """Whether it holds recurrent weights by PyTorch's names."""
        return any(RECURRENT.search(name) for name in self.arrays)


def found_tensors(content: object, is_array: Callable[[Any], bool], path: str) -> dict[str, Any]:
    """Find the arrays of a checkpoint, by name.

    Parameters
    ----------
    content : object
        The unpickled content.
    is_array : callable
        ``is_array(value)`` returns whether a value is an array.
    path : str
        The file, for messages.

    Returns
    -------
    dict
        The arrays of the one mapping that holds recurrent weights, by their names in it, then those of others, prefixed
        with the keys that lead to them; with several such mappings all are prefixed.

    Raises
    ------
    BadWeights
        It holds no array, the same mappings and lists in too many places, or two weights with the same name.
    """
    content = _opened(content)
    holders = list(_holders(content, is_array, path)) if isinstance(content, Mapping | list | tuple) else []
    recurrent = _once([holder for holder in holders if holder.is_recurrent]) or _at_home(content, holders)
    prefixes = _prefixes([holder.path for holder in recurrent])
    found = _named(recurrent, prefixes, path)
    known = {(name, shape_of(value)) for holder in recurrent for name, value in holder.arrays.items()}
    for holder in holders:
        # Otherwise entries next to the key of a state_dict would seem to be in a module at the top of it.
        if holder.path and _is_another_state(holder, known):
            for name, value in holder.arrays.items():
                found.setdefault(".".join((*holder.path, name)), value)
    bare = any("." not in name and RECURRENT.search(name) for name in found)
    for names, value in _beside(holders, recurrent, known):
        name = ".".join(names)
        if name not in found:
            # Next to a module at the top it would seem to be a part of it.
            found[f"./{name.replace('.', '/')}" if bare else name] = value
    return found or _refuse(content, path)


def _named(holders: Sequence[Holder], prefixes: Sequence[str], path: str) -> dict[str, Any]:
    """Prefix the names of each mapping; no two weights may get the same name."""
    found: dict[str, Any] = {}
    keys: dict[str, str] = {}
    for holder, prefix in zip(holders, prefixes, strict=True):
        for name, value in holder.arrays.items():
            full, place = f"{prefix}{name}", _place((*holder.keys, name))
            if full in found and not is_one(found[full], value):
                raise BadWeights(_two_of_one_name(path, keys[full], place, full))
            found[full], keys[full] = value, place
    return found


def _beside(
    holders: Sequence[Holder], recurrent: Sequence[Holder], known: set[tuple[str, tuple[int, ...]]]
) -> Iterator[tuple[Path, Any]]:
    """Yield single arrays that may belong to the model (tables, trained states, normalisations), with their keys."""
    paths = [holder.path for holder in recurrent if holder.is_recurrent]
    widths = widths_of([holder.arrays for holder in recurrent])
    own = _own_keys(paths)
    first = {holder.identity: holder for holder in reversed(holders)}
    for holder in (holder for holder in holders if paths and first[holder.identity] is holder):
        is_part = _is_part(holder.path, own)
        for name, value in holder.arrays.items():
            full = (*holder.path, name)
            is_new = (name, shape_of(value)) not in known and not _TRAINING.search(name)
            if is_new and is_kept(full, value, widths, is_part=is_part):
                yield full, value


def _own_keys(paths: Iterable[Path]) -> dict[Path, set[str]]:
    """Collect the custom keys that lead to weights, by the keys before them."""
    own: dict[Path, set[str]] = {}
    for path in paths:
        for place, key in enumerate(path):
            if key not in WRAPS:
                own.setdefault(path[:place], set()).add(key)
    return own


def _is_part(path: Path, own: Mapping[Path, set[str]]) -> bool:
    """Return whether a path is next to a custom key, as in a model assembled by hand."""
    nexts = ((own.get(path[:place], set()), path[place : place + 1]) for place in range(len(path) + 1))
    return any(len(keys) > len(keys.intersection(key)) for keys, key in nexts)


def _holders(content: object, is_array: Callable[[Any], bool], path: str) -> Iterator[Holder]:
    """Walk through mappings and lists breadth-first, without cycles."""
    waiting: deque[tuple[tuple[str | int, ...], Any, tuple[int, ...]]] = deque([((), content, ())])
    seen: set[int] = set()
    repeated = 0
    while waiting:
        keys, held, around = waiting.popleft()
        repeated += len(held) if id(held) in seen else 0
        seen.add(id(held))
        around = (*around, id(held))
        if repeated > MOST_REPEATED:
            raise BadWeights(
                f"{path}: has the same mappings and lists in too many places; save the weights alone, "
                "torch.save(model.state_dict(), ...)."
            )
        arrays: dict[str, Any] = {}
        for key, value in _items(held):
            if is_array(value) and not is_one(arrays.setdefault(str(key), value), value):
                first = next(each for each, _ in _items(held) if str(each) == str(key))
                raise BadWeights(_two_of_one_name(path, _place((*keys, first)), _place((*keys, key)), str(key)))
        waiting += [
            ((*keys, key), value, around)
            for key, value in _items(held)
            if id(value) not in around and _is_searched(keys, key, value)
        ]
        found = Holder(keys, arrays, id(held))
        if arrays and (found.is_recurrent or not any(map(_PERHAPS_TRAINING.search, found.path))):
            yield found


def _items(held: Mapping[Any, Any] | Sequence[Any]) -> Iterator[tuple[str | int, Any]]:
    """Return the items of a mapping or list, except plain numbers and strings."""
    pairs = held.items() if isinstance(held, Mapping) else enumerate(held)
    return ((key, _opened(value)) for key, value in pairs if type(value) not in _PLAIN and isinstance(key, str | int))


def _opened(value: object) -> Any:
    """Return the attributes of a stand-in for an object, such as a program's options."""
    return value.state if type(value) is Inert and isinstance(value.state, Mapping) else value


def _is_searched(keys: tuple[str | int, ...], key: str | int, value: object) -> bool:
    if not isinstance(value, Mapping | list | tuple) or len(keys) >= DEEPEST:
        return False
    is_training = isinstance(value, Mapping) and {"state", "param_groups"} <= value.keys()
    return not is_training and not _TRAINING.search(str(key))


def _once(holders: list[Holder]) -> list[Holder]:
    """Drop mappings that are also reachable by usual keys only, under which they are read."""
    usual = {holder.identity: holder.path for holder in reversed(holders) if set(holder.path) <= set(WRAPS)}
    return [holder for holder in holders if usual.get(holder.identity, holder.path) == holder.path]


def _at_home(content: object, holders: list[Holder]) -> list[Holder]:
    """Choose mappings if no name is PyTorch's: the one reached by usual keys only, else all."""
    keys: Path = ()
    while isinstance(content, Mapping):
        inside = next((wrap for wrap in WRAPS if isinstance(content.get(wrap), Mapping)), None)
        if inside is None or len(keys) == DEEPEST:
            break
        keys, content = (*keys, inside), content[inside]
    return [holder for holder in holders if holder.path == keys] or holders


def _prefixes(paths: list[Path]) -> list[str]:
    """Return prefixes made of keys; usual keys are left out if the others distinguish the mappings."""
    short = [tuple(key for key in path if key not in WRAPS) for path in paths]
    clear = len(paths) == 1 or (len(set(short)) == len(short) and all(short))
    return ["".join(f"{key}." for key in path) for path in (short if clear else paths)]


def _is_another_state(holder: Holder, known: set[tuple[str, tuple[int, ...]]]) -> bool:
    """Return whether a mapping holds weights of other modules, not logged numbers or a copy of known weights."""
    shapes = {(name, shape_of(value)) for name, value in holder.arrays.items()}
    return not shapes <= known and any(len(shape) > 1 for _, shape in shapes)


def _place(keys: Iterable[str | int]) -> str:
    return "".join(f"[{ascii(key)[:80]}]" for key in keys)


def _two_of_one_name(path: str, first: str, second: str, name: str) -> str:
    return (
        f"{path}: {first} and {second} are different arrays, and both are called {ascii(name)[:80]} here; expected one "
        "of them. Rename a key, or save the state_dict of the model alone."
    )


def _refuse(content: object, path: str) -> dict[str, Any]:
    keys = [str(key) for key in content if isinstance(key, str | int)] if isinstance(content, Mapping) else []
    kind = "an object" if isinstance(content, Inert) else type(content).__name__
    found = f"keys {', '.join(ascii(key)[1:-1][:80] for key in keys[:8])}" if keys else kind
    raise BadWeights(
        f"{path}: holds {found} and no weights; expected a state_dict, or a checkpoint with one under any key. Save "
        "torch.save(model.state_dict(), ...)."
    )
