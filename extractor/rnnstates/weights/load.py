"""Loads a weights file as a ``Network``: open, interpret, choose a stack, assemble, convert."""

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ..errors import BadWeights, OptionError
from ..errors.arguments import check_arguments
from ..network.fingerprint import fingerprint
from ..network.model import LayerWeights, Network
from .activation_names import meant
from .assemble import assemble
from .choice import choose, whole_stacks
from .frameworks import interpret, interpret_with
from .keras_object import own_call
from .objects import WHERE, is_path, opened
from .options import WeightOptions, check_options
from .readers import READERS, Container, digest, open_container, reader_of, unread
from .stack import Model, StoredStack
from .torch_module import looked_up, nonlinearity_of, own_code

__all__ = ["describe_weights", "load_weights", "open_keras_model"]

# Examining what surrounds a stack takes time for each array of the file.
MOST_DESCRIBED = 100
KERAS_FILE = "a .keras file, as model.save('model.keras') writes it (Keras has no safe mode for other formats)"


def load_weights(
    path: Any,
    *,
    layer: str | None = None,
    convention: str | None = None,
    forget_bias: float | None = None,
    activation: str | None = None,
    recurrent_activation: str | None = None,
    cell_clip: float | None = None,
    projection_clip: float | None = None,
    embedding: str | None = None,
    initial_state: str | None = None,
    config: str | os.PathLike[str] | None = None,
) -> Network:
    """Read a recurrent network, or a stack of them, from a weights file; nothing in it is executed.

    Parameters
    ----------
    path : path, mapping, torch module, or Keras model or layer
        A mapping from name to array (a state_dict, a checkpoint, a tree of parameters), or a live model, of which no
        layer is run; or any file that ``rnnstates.weights.readers`` supports, recognised by content: Keras, PyTorch,
        safetensors, ONNX, TensorFlow, Flax, .npz, HDF5.
    layer : str or None
        The recurrent layer that the stack ends with; a layer ``lstm`` in a model ``encoder`` is ``encoder/lstm``, or
        ``lstm`` if that is unambiguous. None if there is only one stack. ``rnns.*`` runs all layers named ``rnns.`` and
        a number as one chain.
    convention : str or None
        The meaning of plain names (``kernel``, ``recurrent_kernel``, ``bias``): a name in ``CONVENTIONS``.
    forget_bias : float or None
        Added to the forget gate at run time, on top of the stored bias, in place of the format's own (Keras, PyTorch:
        0; TensorFlow 1: 1).
    activation, recurrent_activation : str or None
        Of candidate and cell, and of the gates, in place of the file's or the format's own.
    cell_clip, projection_clip : float or None
        The bounds of the cell state and of the projected hidden state, likewise.
    embedding : str or None
        The array, or its module, that token ids are looked up in; ``"none"`` for none. None uses the one that the file
        states, or the only candidate.
    initial_state : str or None
        ``"zero"`` ignores initial states that were trained with the weights.
    config : path or None
        The model's configuration, as Keras' ``model.to_json()`` writes it, for a Keras file with weights only.

    Returns
    -------
    Network
        Its ``notes`` say what was assumed, its ``origin`` where it comes from.

    Raises
    ------
    MissingInput
        The file is absent or unreadable.
    BadWeights
        It is not a weights file, damaged, malicious, or holds no supported network; several stacks and no ``layer``.
    OptionError
        An option that is out of range, unknown, or does not apply to the cells in the file.
    """
    check_arguments({name: value for name, value in locals().items() if name != "path"})
    where = os.fspath(path) if is_path(path) else WHERE
    options = WeightOptions(
        convention=convention, forget_bias=forget_bias, activation=activation,
        recurrent_activation=recurrent_activation, cell_clip=cell_clip, projection_clip=projection_clip,
        embedding=embedding, initial_state=initial_state, config=None if config is None else os.fspath(config),
    )  # fmt: skip
    check_options(options)
    given = options
    if options.activation is None and (known := nonlinearity_of(path)) is not None:
        options = replace(options, activation=known)
    with opened(path) as container:
        model, config_digest = _interpret(container, options.convention, options.config)
        stack = assemble(container, model, choose(model, layer, where), options)
        resolved, _ = meant(options, stack)
        # Settings read from the module itself need no note.
        _, noted = meant(given, stack)
        stack = stack.knowing(resolved.settings())
        stack = stack.noting(*_notes_of(resolved), *noted, *own_code(path, stack.sources()), *own_call(path))
        network = replace(stack, embedding=looked_up(path, stack.embedding)).load(resolved)
    # The arguments of ``load_weights`` that give the same network again.
    call = {name: value for name, value in {"layer": layer, **asdict(options)}.items() if value is not None}
    origin = _origin(where if is_path(path) else None, model, stack, network, given=call, resolved=resolved)
    return replace(network, origin=origin | ({"config_sha256": config_digest} if config_digest else {}))


def _interpret(container: Container, convention: str | None, config: str | None) -> tuple[Model, str]:
    """Interpret the layers of a container; also returns the SHA-256 of a separate configuration."""
    if config is None:
        return interpret(container, convention), ""
    if convention is not None:
        raise OptionError(f"config={config!r}: makes convention={convention!r} redundant; leave one of them out.")
    from .readers.model_json import read_model_json

    document, config_digest = read_model_json(config)
    return interpret_with(container, document, config), config_digest


def describe_weights(
    path: str | os.PathLike[str], *, convention: str | None = None, config: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """Describe a weights file in JSON types; arrays are read only to recognise copies of an embedding.

    Returns
    -------
    dict
        ``format``, ``version`` (of the framework, if the file states it), ``stacks`` (a list; each with the ``layer``
        that ``load_weights`` takes, its ``layers`` with cells, sizes and the source of each setting, ``embedding``,
        ``notes``, or the ``problem`` that prevents reading it; with more than 100 stacks what surrounds each is left
        out, and a note says so), ``selected``, the one that is used without a ``layer``, and ``present``, all layers
        and other arrays.

    Raises
    ------
    MissingInput, BadWeights, OptionError
    """
    check_arguments({"convention": convention, "config": config})
    where = os.fspath(path)
    with open_container(where) as container:
        model, _ = _interpret(container, convention, None if config is None else os.fspath(config))
        tops, whole = model.tops(), whole_stacks(model)
        return {
            "format": model.kind,
            "version": model.version,
            "stacks": [_describe_stack(container, model, top, whole) for top in tops],
            "selected": tops[0] if len(tops) == 1 else f"none of {len(tops)} without layer=",
            "present": model.present(),
        }


def open_keras_model(path: str | os.PathLike[str]) -> Any:
    """Check a ``.keras`` file, archive and HDF5 part, as when weights are read; returns its configuration.

    Raises
    ------
    MissingInput
        It is absent or unreadable.
    BadWeights
        It is damaged, or not a ``.keras`` file.
    """
    where = os.fspath(path)
    # First of all, this checks that the file exists.
    reader = reader_of(where)
    if reader is None:
        raise unread(where, KERAS_FILE)
    if not READERS["Keras zip"].recognise(where):
        raise BadWeights(f"{where}: not a .keras file; expected {KERAS_FILE}.")
    with reader.open(where) as container:
        return container.documents["config.json"]


def _describe_stack(container: Container, model: Model, top: str, whole: Mapping[str, StoredStack]) -> dict[str, Any]:
    try:
        if len(whole) > MOST_DESCRIBED and not model.connected:
            stack = model.stack(top).noting(
                f"{container.path}: has {len(whole):,} stacks, so the embedding, initial states and other surroundings "
                f"of '{top}' were not examined; expected at most {MOST_DESCRIBED}. layer={top!r} examines them."
            )
        else:
            stack = assemble(container, model, (top,), WeightOptions(), whole)
    except BadWeights as reason:
        return {"layer": top, "class": model.recurrent()[top], "problem": str(reason)}
    layers = [
        {"name": layer.name, "direction": direction, **cell.describe(WeightOptions())}
        for layer in stack.layers
        for direction, cell in layer.cells.items()
    ]
    table = stack.embedding
    embedding = None if table is None else {"vocabulary": table.shape[0], "width": table.shape[1]}
    return {"layer": top, "layers": layers, "embedding": embedding, "notes": list(stack.notes)}


def _notes_of(options: WeightOptions) -> list[str]:
    """Return notes on settings taken from the options instead of the file, except activations."""
    given = options.settings()
    added = given.pop("forget_bias", None)
    notes = [] if added is None else [f"{added} is added to every forget gate at run time, on top of the stored bias."]
    clips = {name: value for name, value in given.items() if name.endswith("_clip")}
    return notes + [f"{name.replace('_', ' ')} is {value}, as given." for name, value in clips.items()]


def _origin(
    where: str | None,
    model: Model,
    stack: StoredStack,
    network: Network,
    *,
    given: dict[str, Any],
    resolved: WeightOptions,
) -> dict[str, Any]:
    stored = [cell for layer in stack.layers for cell in layer.cells.values()]
    loaded = [weights for _, _, _, weights in network.parts()]
    return {
        # Without a file, the values identify the weights.
        "file": WHERE if where is None else where,
        "sha256": fingerprint(network) if where is None else digest(where),
        "source_format": model.kind,
        "version": model.version,
        "options": given,
        "convention": ", ".join(dict.fromkeys(cell.convention.name for cell in stored)),
        "gate_order": "; ".join(dict.fromkeys(", ".join(cell.convention.gates) for cell in stored)),
        "forget_bias": _forget_bias(loaded),
        "layers": [
            {"name": layer.name, "direction": direction, **cell.describe(resolved)}
            for layer in stack.layers
            for direction, cell in layer.cells.items()
        ],
    }


def _forget_bias(loaded: list[LayerWeights]) -> str:
    added = sorted({weights.forget_bias for weights in loaded if weights.cell in ("lstm", "mlstm")})
    if not added:
        return "none: no forget gate"
    return f"in the stored bias; {', '.join(map(str, added))} is added at run time"
