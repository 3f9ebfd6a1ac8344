"""Opens TensorFlow checkpoints of both versions and SavedModel variables: arrays only; nothing is run.

Version 2 has a table of contents, ``model.ckpt-100.index``, and its arrays in ``model.ckpt-100.data-00000-of-00001``
and so on; version 1 has everything in one file or in shards ``model.ckpt-00000-of-00002``.
"""

import contextlib
import itertools
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ....arrays.axes import Array
from ....errors import BadWeights
from ....runtime.tensorflow_start import import_tensorflow
from ....untrusted.json_text import parse_json
from ..base import MOST_TENSORS, Container, Tensor, as_floating
from ..protobuf_size import varint
from ..saved_model import read_calls
from .graph import Entry, bundle_entries, parse_message, read_objects, read_table, slice_entries
from .place import SAVED_MODEL, Place, place_of, recognise_checkpoint

__all__ = ["open_checkpoint", "recognise_checkpoint"]

OBJECTS, KERAS_METADATA = "_CHECKPOINTABLE_OBJECT_GRAPH", "keras_metadata.pb"
# A table of contents takes some hundred bytes per array; a graph may hold whole arrays as constants.
LARGEST_INDEX = 32 * 2**20
LARGEST_DOCUMENT = 64 * 2**20
# Arrays, and the pieces of partitioned ones: a large model has some thousands.
MOST_ENTRIES = 2 * MOST_TENSORS


@contextlib.contextmanager
def open_checkpoint(path: str) -> Iterator[Container]:
    """Open a checkpoint.

    Raises
    ------
    BadWeights
        It is damaged, incomplete, malicious, or a folder with several.
    EngineUnavailable
        TensorFlow cannot be imported.
    """
    place = place_of(path)
    tf = import_tensorflow()
    entries, files = _contents(place)
    _check_sizes(tf, entries, files, path)
    documents = _documents(place, entries, files)
    try:
        # Unlike tf.train.load_checkpoint, it does not search a folder of that name.
        reader = tf.compat.v1.train.NewCheckpointReader(place.prefix)
    except Exception as reason:
        # The C++ reader may raise anything on damaged bytes.
        raise BadWeights(f"{path}: TensorFlow cannot open it ({_one_line(reason)}); save it again.") from reason
    tensors = {entry.name: _tensor(tf, reader, entry, path) for entry in entries if entry.name != OBJECTS}
    kind = "TensorFlow SavedModel" if place.graph.endswith(SAVED_MODEL) else f"TensorFlow checkpoint V{place.version}"
    yield Container(path, kind, tensors, documents=documents)


def _contents(place: Place) -> tuple[list[Entry], list[str]]:
    """List the arrays and the files that hold them."""
    if place.version == 1:
        files = sorted(str(file) for file in Path(place.prefix).parent.glob(Path(place.prefix).name))
        first = [next(read_table(file), (b"", b"")) for file in files]
        found = [entry for key, value in first for entry in slice_entries(b"" if key else value, place.path)]
        return list({entry.name: entry for entry in found}.values()), files
    index = f"{place.prefix}.index"
    if Path(index).stat().st_size > LARGEST_INDEX:
        raise BadWeights(
            f"{index}: has more than {LARGEST_INDEX} bytes, which no table of contents has; it is refused."
        )
    table = dict(itertools.islice(read_table(index), MOST_ENTRIES + 1))
    if len(table) > MOST_ENTRIES:
        raise BadWeights(
            f"{index}: lists more than {MOST_ENTRIES:,} arrays and pieces of them; expected at most that many. Save "
            "the recurrent layers and their embedding alone."
        )
    count, entries = bundle_entries(table, place.path)
    files = _shards(place, count)
    sizes = [Path(file).stat().st_size for file in files]
    for entry in entries.values():
        if not (0 <= entry.shard < count and entry.start >= 0 and entry.size >= 0):
            raise BadWeights(f"{place.path}: '{entry.name}' is in a file that does not exist; it is damaged.")
        if entry.start + entry.size > sizes[entry.shard]:
            raise BadWeights(f"{files[entry.shard]}: ends before '{entry.name}' does; it is cut short, copy it again.")
    return [entry for key, entry in entries.items() if not key.startswith(b"\0")], files


def _shards(place: Place, count: int) -> list[str]:
    if not 0 < count < 100_000:
        raise BadWeights(f"{place.path}: declares {count} files of arrays; expected 1 to 99999. It is damaged.")
    folder = Path(f"{place.prefix}.index").resolve().parent
    files = []
    for number in range(count):
        files.append(f"{place.prefix}.data-{number:05}-of-{count:05}")
        if not Path(files[-1]).is_file():
            raise BadWeights(f"{place.path}: has no file {Path(files[-1]).name}; copy the whole checkpoint.")
        if Path(files[-1]).resolve().parent != folder:
            raise BadWeights(f"{files[-1]}: is a link to another folder, which is not followed; copy the file itself.")
    return files


def _check_sizes(tf: Any, entries: list[Entry], files: list[str], path: str) -> None:
    """Compare declared with stored sizes, before anything of that size is allocated."""
    stored, total = sum(Path(file).stat().st_size for file in files), 0
    for entry in entries:
        if not tf.dtypes.as_dtype(entry.dtype).is_floating:
            continue
        declared = math.prod(entry.shape) * int(tf.dtypes.as_dtype(entry.dtype).size)
        if declared > stored or (declared != entry.size and not entry.sliced):
            raise BadWeights(f"{path}: '{entry.name}' declares {entry.shape}, but is not stored so; it is refused.")
        total += declared
    if total > stored:
        raise BadWeights(f"{path}: declares {total} bytes of numbers but has {stored}; it is refused.")


def _documents(place: Place, entries: list[Entry], files: list[str]) -> dict[str, Any]:
    """Read the descriptions of the program.

    ``objects``, ``graph`` (a GraphDef), ``calls`` (the functions of a SavedModel), ``keras`` (metadata of layers).
    """
    found: dict[str, Any] = {}
    entry = next((entry for entry in entries if entry.name == OBJECTS), None)
    if entry is not None and place.version == 2:
        found["objects"] = read_objects(_string(entry, files, place.path), place.path)
    sources = {place.graph: _graph}
    if place.graph.endswith(SAVED_MODEL):
        sources[str(Path(place.graph).with_name(KERAS_METADATA))] = _keras
    for path, parse in sources.items():
        if Path(path).is_file() and Path(path).stat().st_size <= LARGEST_DOCUMENT:
            found |= parse(Path(path).read_bytes(), path)
    return found


def _string(entry: Entry, files: list[str], path: str) -> bytes:
    """Read a single string: its length, a four-byte checksum of the length, its bytes."""
    if entry.size > LARGEST_DOCUMENT or entry.shape:
        raise BadWeights(f"{path}: its object graph has {entry.size} bytes; expected at most {LARGEST_DOCUMENT}.")
    with Path(files[entry.shard]).open("rb") as file:
        file.seek(entry.start)
        stored = file.read(entry.size)
    try:
        length, place = varint(stored, 0)
    except IndexError:
        length, place = -1, 0
    if length != len(stored) - place - 4:
        raise BadWeights(f"{path}: its object graph does not have as many bytes as it declares; save it again.")
    return stored[place + 4 :]


def _graph(stored: bytes, path: str) -> dict[str, Any]:
    """Parse the graph of a MetaGraphDef, or the first one of a SavedModel with its functions."""
    from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

    if not path.endswith(SAVED_MODEL):
        return {"graph": parse_message(meta_graph_pb2.MetaGraphDef, stored, path).graph_def}
    graphs = parse_message(saved_model_pb2.SavedModel, stored, path).meta_graphs
    if not graphs:
        return {"graph": None}
    return {"graph": graphs[0].graph_def, "calls": read_calls(graphs[0].object_graph_def, path)}


def _keras(stored: bytes, path: str) -> dict[str, Any]:
    """Read Keras 2's ``SavedMetadata``: each object's ``path`` from the root, and its JSON as ``config``."""
    objects = []
    for number, node in _fields(stored, path):
        if number == 1 and isinstance(node, bytes):
            fields = dict(_fields(node, path))
            place, text = fields.get(3, b""), fields.get(5, b"")
            if isinstance(place, bytes) and isinstance(text, bytes) and text:
                objects.append({"path": place.decode("utf-8", "replace"), "config": parse_json(text, path)})
    return {"keras": objects}


def _fields(stored: bytes, path: str) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and value of each field of a protocol buffer."""
    place = 0
    try:
        while place < len(stored):
            tag, place = varint(stored, place)
            value, place = varint(stored, place)
            if tag & 7 not in (0, 2) or (tag & 7 == 2 and place + value > len(stored)):
                raise IndexError(f"a field of kind {tag & 7} and size {value}")
            yield tag >> 3, stored[place : place + value] if tag & 7 else value
            place += value if tag & 7 else 0
    except IndexError as reason:
        raise BadWeights(f"{path}: is damaged ({reason}); copy it again, or remove it.") from reason


def _tensor(tf: Any, reader: Any, entry: Entry, path: str) -> Tensor:
    def read() -> Array:
        where = f"{path}: '{entry.name}'"
        dtype = tf.dtypes.as_dtype(entry.dtype)
        if not dtype.is_floating or dtype.size < 2:
            raise BadWeights(f"{where}: has dtype {dtype.name}; expected float64, float32, float16 or bfloat16.")
        try:
            values: Array = reader.get_tensor(entry.name)
        except Exception as reason:
            raise BadWeights(f"{where}: TensorFlow cannot read it ({_one_line(reason)}); save it again.") from reason
        if values.shape != entry.shape:
            raise BadWeights(f"{where}: has shape {values.shape}; its table of contents says {entry.shape}.")
        return as_floating(values.astype(np.float32) if dtype == tf.bfloat16 else values, where)

    return Tensor(entry.name, entry.shape, read)


def _one_line(reason: Exception) -> str:
    return re.sub(r"\s+", " ", str(reason)).strip()[:200]
