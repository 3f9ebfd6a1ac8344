"""Loads a model file with Keras' own loader, given only Keras' own classes (and ours)."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import BadWeights
from ..errors.articles import with_article
from ..keras.started import keras
from ..weights.load import open_keras_model
from .finding import Layer
from .running import first_sentence

__all__ = ["load_model"]

# Layers that run code, load other files, or read files named by the configuration.
REFUSED = {
    "Lambda": "runs code from the file",
    "TorchModuleWrapper": "loads a pickle",
    "TFSMLayer": "loads another file",
    "StringLookup": "may read another file",
    "IntegerLookup": "may read another file",
    "TextVectorization": "may read another file",
}
DEEPEST = 200
ADVICE = "Give weights=FILE and what its recurrent layer reads, or call rnnstates.collect on the model in Python."


def load_model(path: str | os.PathLike[str]) -> Layer:
    """Load a ``.keras`` file in Keras' safe mode, after checking its configuration.

    The archive and its HDF5 part are checked like every weights file, before Keras sees them.

    Raises
    ------
    MissingInput
        It is absent or unreadable.
    BadWeights
        It is not a ``.keras`` file, is damaged, has a class that is not Keras' own (or ours), or Keras refuses it.
    """
    where = os.fspath(path)
    config = open_keras_model(where)
    for entry in _described(config, 0, where):
        _check(entry, where)
    try:
        return keras.saving.load_model(where, compile=False, safe_mode=True)
    except MemoryError:
        raise
    # Keras may raise anything on an invalid file.
    except Exception as reason:
        raise BadWeights(f"{where}: Keras cannot load it: {first_sentence(reason)} Save the model again.") from reason


def _described(value: Any, depth: int, where: str) -> Iterator[Mapping[str, Any]]:
    """Yield everything in a configuration that names a class."""
    if depth > DEEPEST:
        raise BadWeights(f"{where}: its configuration is nested more than {DEEPEST} deep; it is refused.")
    if isinstance(value, Mapping):
        if "class_name" in value:
            yield value
        for inner in value.values():
            yield from _described(inner, depth + 1, where)
    elif isinstance(value, list):
        for inner in value:
            yield from _described(inner, depth + 1, where)


def _check(entry: Mapping[str, Any], where: str) -> None:
    class_name, module, registered = (entry.get(key) for key in ("class_name", "module", "registered_name"))
    if not isinstance(class_name, str):
        raise BadWeights(f"{where}: has a class called {class_name!r}"[:200] + "; the configuration is damaged.")
    if class_name in REFUSED:
        raise BadWeights(
            f"{where}: has {with_article(class_name)}, which {REFUSED[class_name]}; it is not run. {ADVICE}"
        )
    if class_name in ("__lambda__", "__bytes__") or "__lambda__" in entry:
        raise BadWeights(f"{where}: has code in it, which is never run. {ADVICE}")
    package = module.split(".")[0] if isinstance(module, str) else None
    # Tensors, shapes and the like have no module.
    own = module is None and registered in (None, class_name) if class_name == "__keras_tensor__" else None
    ours = package == "rnnstates" and registered == f"rnnstates>{class_name}"
    theirs = package in ("keras", "builtins") and registered in (None, class_name)
    if not (own or ours or theirs or "module" not in entry):
        raise BadWeights(
            f"{where}: has {with_article(class_name)} that is not Keras' own ({registered or module}), whose code "
            f"is not here. {ADVICE}"
        )
