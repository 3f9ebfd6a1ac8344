"""Finds the files of a TensorFlow checkpoint from a prefix, one of its files, or a folder.

A folder's text file ``checkpoint`` may name any place on the machine and is never followed.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ....errors import BadWeights, MissingInput
from .graph import is_table

__all__ = ["SAVED_MODEL", "Place", "place_of", "recognise_checkpoint"]

SAVED_MODEL = "saved_model.pb"
_SHARD = re.compile(r"\.data-\d{5}-of-\d{5}$")
_OLD_SHARD = re.compile(r"-\d{5}-of-(\d{5})$")
_LIST = b"model_checkpoint_path:"
MOST_NAMED = 10


@dataclass(frozen=True)
class Place:
    """Where a checkpoint is: the user's path, the prefix of its files, and the file that may hold its graph.

    The prefix of version 1 is a file, or a pattern of shards.
    """

    path: str
    prefix: str
    version: int
    graph: str


def recognise_checkpoint(path: str) -> bool:
    """Return whether a path is a checkpoint's prefix, one of its files, or a folder with a checkpoint or SavedModel.

    True for an incomplete checkpoint too: the refusal says what to give.
    """
    try:
        if Path(path).is_dir() and not is_table(f"{path}.index"):
            is_saved_model = (Path(path) / SAVED_MODEL).is_file()
            return is_saved_model or any(True for _ in _prefixes(path)) or any(True for _ in _parts(path))
        if is_table(f"{_prefix(path)}.index") or is_table(path) or _old_shards(path):
            return True
        return bool(_torn(path)) or (not Path(path).exists() and bool(_numbered(path)))
    except (OSError, ValueError):
        return False


def place_of(path: str) -> Place:
    """Find the files of a checkpoint.

    Raises
    ------
    BadWeights
        Some are absent, or a folder has several checkpoints.
    MissingInput
        There is no checkpoint of that name, but there are some with that prefix.
    """
    # An absolute path cannot be mistaken for a URL (gs://...).
    full = os.path.abspath(path)  # noqa: PTH100
    if is_table(f"{_prefix(full)}.index"):
        return Place(path, _prefix(full), 2, f"{_prefix(full)}.meta")
    if Path(full).is_dir():
        return _in_folder(path, full)
    _refuse_others(path, full)
    if any(character in full for character in "*?[\\"):
        raise BadWeights(f"{path}: TensorFlow takes *, ?, [ and \\ in this name for a pattern; rename it.")
    base = _OLD_SHARD.sub("", full)
    shards = _old_shards(base)
    if not shards:
        # The graph of version 1 was also saved next to it.
        whole = full.removesuffix(".meta") if not is_table(full) else full
        return Place(path, whole, 1, f"{whole}.meta")
    counts = {_OLD_SHARD.sub(r"\1", shard[len(base) :]) for shard in shards}
    if counts != {f"{len(shards):05}"}:
        raise BadWeights(f"{path}: has {len(shards)} of {', '.join(sorted(counts))} shards; copy the whole checkpoint.")
    return Place(path, f"{base}-?????-of-{counts.pop()}", 1, f"{base}.meta")


def _prefix(path: str) -> str:
    for ending in (".index", ".meta"):
        if path.endswith(ending):
            return path[: -len(ending)]
    return _SHARD.sub("", path)


def _in_folder(path: str, full: str) -> Place:
    if (Path(full) / SAVED_MODEL).is_file():
        prefix = str(Path(full) / "variables" / "variables")
        if not is_table(f"{prefix}.index"):
            raise BadWeights(f"{path}: a SavedModel without variables/variables.index; copy the whole folder.")
        return Place(path, prefix, 2, str(Path(full) / SAVED_MODEL))
    names = list(_prefixes(full))
    if not names:
        raise BadWeights(f"{path}: {_incomplete(_parts(full))}")
    if len(names) > 1:
        raise BadWeights(f"{path}: holds {len(names)} checkpoints; name one of them: {', '.join(names[:MOST_NAMED])}.")
    # The stem before .index may be empty, or a dot, which a Path would drop.
    prefix = f"{full}/{_prefix(names[0])}"
    if names[0].endswith(".index"):
        return Place(path, prefix, 2, f"{prefix}.meta")
    return replace(place_of(prefix), path=path)


def _prefixes(folder: str) -> Iterator[str]:
    """Yield a folder's checkpoints: the tables of contents of version 2; if there are none, those of version 1."""
    names = sorted(entry.name for entry in Path(folder).iterdir() if entry.is_file())
    indexes = [name for name in names if name.endswith(".index")]
    yield from indexes
    if not indexes:
        tables = [name for name in names if is_table(f"{folder}/{name}")]
        yield from dict.fromkeys(_OLD_SHARD.sub("", name) for name in tables)


def _parts(folder: str) -> Iterator[str]:
    """Yield the files that only accompany a checkpoint, as TensorFlow 1 saves it."""
    for name in sorted(entry.name for entry in Path(folder).iterdir() if entry.is_file()):
        if _SHARD.search(name) or name.endswith(".meta") or (name == "checkpoint" and _is_list(f"{folder}/{name}")):
            yield name


def _old_shards(path: str) -> list[str]:
    """List the shards of a version 1 checkpoint with this prefix."""
    folder, name = Path(path).parent, Path(path).name
    if Path(path).exists() or not folder.is_dir():
        return []
    shards = [entry for entry in folder.iterdir() if _OLD_SHARD.sub("", entry.name) == name != entry.name]
    return sorted(str(shard) for shard in shards if is_table(str(shard)))


def _is_list(path: str) -> bool:
    """Return whether a file is TensorFlow's list of the checkpoints of a folder."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return file.read(len(_LIST)) == _LIST


def _torn(path: str) -> list[str]:
    """List the parts of a checkpoint without a table of contents; empty for any other file."""
    prefix = _prefix(path)
    if Path(path).exists() and prefix == path:
        return []
    folder, name = Path(prefix).parent, Path(prefix).name
    if not folder.is_dir() or Path(f"{prefix}.index").exists():
        return []
    return [part for part in _parts(str(folder)) if part != "checkpoint" and _prefix(part) == name]


def _numbered(path: str) -> list[str]:
    """List the checkpoints whose names are a given one and a step number."""
    folder, name = Path(path).parent, Path(path).name
    if not folder.is_dir():
        return []
    prefixes = [_prefix(found) for found in _prefixes(str(folder))]
    return [found for found in prefixes if re.fullmatch(re.escape(name) + r"-\d+", found)]


def _refuse_others(path: str, full: str) -> None:
    """Refuse a path that only accompanies a checkpoint or is a part of one, and say what to give."""
    whole = full.removesuffix(".meta")
    if is_table(full) or _old_shards(full) or (whole != full and (is_table(whole) or _old_shards(whole))):
        return
    if _torn(full):
        raise BadWeights(f"{path}: {_incomplete(_torn(full))}")
    if not Path(full).exists() and (found := _numbered(full)):
        raise MissingInput(f"{path}: no checkpoint of that name; give one of {', '.join(found[:MOST_NAMED])}.")


def _incomplete(parts: Iterator[str] | list[str]) -> str:
    some = ", ".join(list(parts)[:MOST_NAMED])
    return (
        f"of a checkpoint only {some} is there; expected its table of contents (.index) and arrays "
        "(.data-00000-of-00001) in one folder. Copy the whole checkpoint and give its prefix (model.ckpt-100)."
    )
