"""From a weights file to a ``Network``: open, interpret, choose a stack, convert."""

import difflib
import hashlib
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import BadWeights, OptionError
from ..hdf5_guard import is_hdf5
from .canonical import Network
from .keras import interpret, is_keras
from .readers import READERS, open_container
from .stack import Model, StoredStack

__all__ = ["describe_weights", "is_weights_file", "load_weights"]


def load_weights(
    path: str | os.PathLike[str], *, layer: str | None = None, forget_bias: float | None = None
) -> Network:
    """Read an LSTM, or a stack of them, from a weights file; nothing in it is executed.

    Parameters
    ----------
    path : str or path
        A Keras file: ``.keras``, ``.weights.h5``, legacy ``.h5`` of a whole model or of weights alone. Told apart by
        content.
    layer : str or None
        A recurrent layer of it, which the stack is to end with; a layer ``lstm`` in a model ``encoder`` is
        ``encoder/lstm``, or ``lstm`` where that is clear. None where there is only one stack.
    forget_bias : float or None
        Added to the forget gate at run time, on top of the stored bias, in place of the format's own (Keras: 0).

    Returns
    -------
    Network
        Its ``notes`` say what was assumed, its ``origin`` where it comes from.

    Raises
    ------
    MissingInput
        The file is absent or unreadable.
    BadWeights
        It is no weights file, damaged, made to attack, or holds no network that is computed here; several stacks and
        no ``layer``.
    OptionError
        ``forget_bias`` is not finite.
    """
    where = os.fspath(path)
    if forget_bias is not None and not math.isfinite(forget_bias):
        raise OptionError(f"--forget-bias {forget_bias}: expected a finite number.")
    with open_container(where) as container:
        model = interpret(container)
        stack = model.stack(_choose(model, layer, where))
        if forget_bias is not None:
            stack = stack.noting(f"{forget_bias} is added to every forget gate at run time, beside the stored bias.")
        network = stack.load(forget_bias)
    return replace(network, origin=_origin(where, model, stack, forget_bias))


def describe_weights(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Say what a weights file holds, in JSON types; no array is read.

    Returns
    -------
    dict
        ``format``, ``keras_version``, ``stacks`` (a list; each with the ``layer`` that ``load_weights`` takes, its
        ``layers`` with their sizes, ``embedding``, ``notes``, or the ``problem`` that keeps it from being read) and
        ``present``, all layers.

    Raises
    ------
    MissingInput, BadWeights
    """
    where = os.fspath(path)
    with open_container(where) as container:
        model = interpret(container)
        return {
            "format": model.kind,
            "keras_version": model.version,
            "stacks": [_describe_stack(model, top) for top in model.tops()],
            "present": model.present(),
        }


def is_weights_file(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file holds weights of a kind known here, by its content.

    Raises
    ------
    MissingInput
        It is absent or unreadable.
    BadWeights
        It is a zip archive that is no .keras file, or a damaged one.
    """
    where = os.fspath(path)
    if not any(recognise(where) for recognise, _ in READERS):
        return False
    try:
        with open_container(where) as container:
            return is_keras(container)
    except BadWeights:
        # HDF5 holds inputs too, and those may have links; a zip archive is weights or nothing.
        if is_hdf5(where):
            return False
        raise


def _choose(model: Model, layer: str | None, where: str) -> str:
    recurrent = model.recurrent()
    if not recurrent:
        present = ", ".join(model.present()[:20]) or "no layers"
        raise BadWeights(f"{where}: no recurrent layer found; expected an LSTM. Present: {present}.")
    if layer is not None:
        return _named(layer, list(recurrent), where)
    tops = model.tops()
    if not tops:
        raise BadWeights(f"{where}: its recurrent layers feed each other in a circle; the configuration is damaged.")
    if len(tops) > 1:
        choices = ", ".join(f"--layer {top} ({recurrent[top]})" for top in tops[:20])
        raise BadWeights(f"{where}: has {len(tops)} recurrent stacks; choose one: {choices}.")
    return tops[0]


def _named(layer: str, names: list[str], where: str) -> str:
    if layer in names:
        return layer
    inside = [name for name in names if name.endswith(f"/{layer}")]
    if len(inside) == 1:
        return inside[0]
    if inside:
        raise BadWeights(f"{where}: several layers are called '{layer}'; choose one: {', '.join(inside)}.")
    close = difflib.get_close_matches(layer, names, n=1)
    guess = f" Did you mean '{close[0]}'?" if close else ""
    raise BadWeights(f"{where}: no recurrent layer '{layer}'; found: {', '.join(names[:20])}.{guess}")


def _describe_stack(model: Model, top: str) -> dict[str, Any]:
    try:
        stack = model.stack(top)
    except BadWeights as reason:
        return {"layer": top, "class": model.recurrent()[top], "problem": str(reason)}
    layers = [
        {
            "name": layer.name,
            "direction": direction,
            "features": cell.tensors["kernel"].shape[0],
            "units": cell.tensors["recurrent_kernel"].shape[0],
            "activations": [cell.activation, cell.recurrent_activation],
        }
        for layer in stack.layers
        for direction, cell in layer.cells.items()
    ]
    table = stack.embedding
    embedding = None if table is None else {"vocabulary": table.shape[0], "width": table.shape[1]}
    return {"layer": top, "layers": layers, "embedding": embedding, "notes": list(stack.notes)}


def _origin(where: str, model: Model, stack: StoredStack, forget_bias: float | None) -> dict[str, Any]:
    cells = [cell for layer in stack.layers for cell in layer.cells.values()]
    convention = cells[0].convention
    added = convention.forget_bias if forget_bias is None else forget_bias
    return {
        "file": where,
        "sha256": _sha256(where),
        "source_format": model.kind,
        "keras_version": model.version,
        "convention": convention.name,
        "gate_order": ", ".join(convention.gates),
        "forget_bias": f"in the stored bias; {added} is added at run time",
        "layers": [layer.name for layer in stack.layers],
    }


def _sha256(where: str) -> str:
    digest = hashlib.sha256()
    with Path(where).open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
