"""Finds the weights in a checkpoint, at any depth of mappings and lists; keys become prefixes.

What checkpoints usually put around a state_dict (``state_dict``, ``model``, …) is taken off where that leaves no doubt.
An optimizer's state has the shapes of weights, and is none.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ....errors import BadWeights
from .beside import is_kept, is_one, shape_of, widths_of
from .data import Inert

__all__ = ["WRAPS", "found_tensors"]

# What checkpoints put around a state_dict.
WRAPS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "ema_state_dict", "weights", "params")
RECURRENT = re.compile(r"weight_(ih|hh)")
# What holds the state of training: moments of gradients, schedules, random numbers.
_TRAINING = re.compile(
    r"optimi[sz]er|(?:^|_)(?:exp_avg|exp_avg_sq|momentum_buffer|schedulers?|grad_scaler|rng)(?:_|$)"
    r"|(?:^|_)opt(?:im|ims)?(?:_states?(?:_dict)?)?$|^(?:amp|callbacks|loops)$",
    re.IGNORECASE,
)
# What may hold it: opt_g is an optimizer, opt_flow a part of a model. Only recurrent weights are looked for there.
_PERHAPS_TRAINING = re.compile(r"(?:^|_)(?:opt|optim|optims)_", re.IGNORECASE)
DEEPEST = 16
# How many keys are looked at again in what lies in a file once and is named often.
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
        The same for what is one object in the file.
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
    """Find the arrays of a checkpoint, by names.

    Parameters
    ----------
    content : object
        What was unpickled.
    is_array : callable
        ``is_array(value)`` tells whether a value is one.
    path : str
        The file, for messages.

    Returns
    -------
    dict
        The arrays of the one mapping that holds recurrent weights, by their names in it, then those of others behind
        the keys that lead to them; of several such mappings all are behind their keys.

    Raises
    ------
    BadWeights
        It holds no array, the same mappings and lists in too many places, or two weights that get one name.
    """
    content = _opened(content)
    holders = list(_holders(content, is_array, path)) if isinstance(content, Mapping | list | tuple) else []
    recurrent = _once([holder for holder in holders if holder.is_recurrent]) or _at_home(content, holders)
    prefixes = _prefixes([holder.path for holder in recurrent])
    found = _named(recurrent, prefixes, path)
    known = {(name, shape_of(value)) for holder in recurrent for name, value in holder.arrays.items()}
    for holder in holders:
        # What lies beside the key of a state_dict would seem to lie in a module at the top of that.
        if holder.path and _is_another_state(holder, known):
            for name, value in holder.arrays.items():
                found.setdefault(".".join((*holder.path, name)), value)
    bare = any("." not in name and RECURRENT.search(name) for name in found)
    for names, value in _beside(holders, recurrent, known):
        name = ".".join(names)
        if name not in found:
            # Beside a module at the top it would seem to be a part of that.
            found[f"./{name.replace('.', '/')}" if bare else name] = value
    return found or _refuse(content, path)


def _named(holders: Sequence[Holder], prefixes: Sequence[str], path: str) -> dict[str, Any]:
    """Put the prefix of each mapping in front of its names; no two weights may get one name."""
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
    """Return single arrays that may belong to the model, tables, trained states, normalisations, behind their keys."""
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
    """Collect the keys of one's own that lead to weights, by the keys in front of them."""
    own: dict[Path, set[str]] = {}
    for path in paths:
        for place, key in enumerate(path):
            if key not in WRAPS:
                own.setdefault(path[:place], set()).add(key)
    return own


def _is_part(path: Path, own: Mapping[Path, set[str]]) -> bool:
    """Return whether what lies behind some keys is next to a key of one's own, as in a model put together by hand."""
    nexts = ((own.get(path[:place], set()), path[place : place + 1]) for place in range(len(path) + 1))
    return any(len(keys) > len(keys.intersection(key)) for keys, key in nexts)


def _holders(content: object, is_array: Callable[[Any], bool], path: str) -> Iterator[Holder]:
    """Walk through mappings and lists, those near the top first; none inside itself."""
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
    """Return what has a name, numbers and text left out."""
    pairs = held.items() if isinstance(held, Mapping) else enumerate(held)
    return ((key, _opened(value)) for key, value in pairs if type(value) not in _PLAIN and isinstance(key, str | int))


def _opened(value: object) -> Any:
    """Return the attributes of what stands for an object, as options of a program are one."""
    return value.state if type(value) is Inert and isinstance(value.state, Mapping) else value


def _is_searched(keys: tuple[str | int, ...], key: str | int, value: object) -> bool:
    if not isinstance(value, Mapping | list | tuple) or len(keys) >= DEEPEST:
        return False
    is_training = isinstance(value, Mapping) and {"state", "param_groups"} <= value.keys()
    return not is_training and not _TRAINING.search(str(key))


def _once(holders: list[Holder]) -> list[Holder]:
    """Leave out what is the same object as a mapping behind nothing but usual keys, which is read by that name."""
    usual = {holder.identity: holder.path for holder in reversed(holders) if set(holder.path) <= set(WRAPS)}
    return [holder for holder in holders if usual.get(holder.identity, holder.path) == holder.path]


def _at_home(content: object, holders: list[Holder]) -> list[Holder]:
    """Choose where no name is PyTorch's: what lies behind nothing but usual keys, or else everything."""
    keys: Path = ()
    while isinstance(content, Mapping):
        inside = next((wrap for wrap in WRAPS if isinstance(content.get(wrap), Mapping)), None)
        if inside is None or len(keys) == DEEPEST:
            break
        keys, content = (*keys, inside), content[inside]
    return [holder for holder in holders if holder.path == keys] or holders


def _prefixes(paths: list[Path]) -> list[str]:
    """Make prefixes of keys; the usual ones are left out where the others tell the mappings apart."""
    short = [tuple(key for key in path if key not in WRAPS) for path in paths]
    clear = len(paths) == 1 or (len(set(short)) == len(short) and all(short))
    return ["".join(f"{key}." for key in path) for path in (short if clear else paths)]


def _is_another_state(holder: Holder, known: set[tuple[str, tuple[int, ...]]]) -> bool:
    """Return the weights of other modules from numbers that were noted; what is read, or a copy of it, is neither."""
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
