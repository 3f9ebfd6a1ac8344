"""``verify()``: reads what a file should hold, checks every byte and value, and recomputes a sample."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import h5py

from ..errors import BadStates, OptionError, OutputError
from ..errors.arguments import check_arguments
from ..inputs.hdf5 import reading
from ..output.reader import open_states
from ..output.states import States
from ..untrusted.hdf5 import open_hdf5
from .comparing import compare_sample
from .consistency import check_values
from .finding_input import Given, NotFound, find_initial, find_source
from .finding_weights import find_network
from .findings import Findings
from .promised import Promise, read_promise
from .recomputing import Original, Rows, choose_rows
from .tolerance import PRECISIONS
from .unfinished import refuse_unfinished
from .whole_file import DAMAGED, Checked, check_bytes

__all__ = ["verify"]

DIFFERENT = "The file was damaged or edited, or the input or the weights are not those of the run; make it again."


def verify(
    path: str | os.PathLike[str],
    *,
    sample: int = 16,
    seed: int = 0,
    quick: bool = False,
    inputs: Any = None,
    weights: Any = None,
    initial_state: Any = None,
    layer: str | None = None,
    convention: str | None = None,
    forget_bias: float | None = None,
    activation: str | None = None,
    recurrent_activation: str | None = None,
    cell_clip: float | None = None,
    projection_clip: float | None = None,
    embedding: str | None = None,
    config: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Check that a states file is complete and consistent, and recompute a sample of it in float64.

    Every byte is compared with the checksums in the file, and every value is checked: padding must be zero, states
    finite, and pooled values must match the stored states. Then some sequences are recomputed from the input and the
    weights that the file names. If these cannot be found, the file is not at fault: the answer says why nothing was
    recomputed. Memory holds one block of states and the longest sequence of the sample.

    Parameters
    ----------
    path : str or path
        What ``extract`` wrote.
    sample : int
        Number of sequences to recompute, among them the longest and the shortest that is not empty; 0 for none.
    seed : int
        Seed for choosing the other sequences.
    quick : bool
        Check only the structure of the file, its lengths and the sample; damaged bytes and values elsewhere are not
        found.
    inputs : path, array or None
        What the states were made from; None for the path stored in the file.
    weights : path, Network, anything that ``load_weights`` takes, or None
        The weights of the run; None for those named in the file.
    initial_state : path, mapping or None
        The initial states of the run; None for those named in the file.
    layer, convention, forget_bias, activation, recurrent_activation, cell_clip, projection_clip, embedding, config
        How to read the weights, as for ``load_weights``; None for what the file says.

    Returns
    -------
    dict
        In JSON types: ``file``, ``sequences``, ``steps`` (valid ones), ``precision``, ``checksums`` (``right``;
        ``by value`` if values were compared instead of bytes, because the file is compressed or another program
        rewrote it; ``absent`` in a file made before files had them; ``not looked at`` if ``quick``), ``datasets`` (by
        name: ``recomputed`` and ``pooled``, the largest absolute differences from the recomputed states and from the
        pooling of the stored states, None if nothing was compared), ``recomputed`` (numbers of the sequences),
        ``reason`` (why there are none, else None), ``notes``.

    Raises
    ------
    BadStates
        The file is incomplete, inconsistent or wrong; the message names datasets and sequences. Or it is not finished;
        the message says how far it is, and what is damaged.
    BadInput, BadWeights
        What the file names exists, but is not what the states were made from.
    MissingInput
        The file, or what was given instead of what it names, is absent or unreadable.
    OptionError
        A number is out of range, or an option does not apply to these weights.

    Examples
    --------
    >>> import numpy as np
    >>> import rnnstates
    >>> folder = getfixture("tmp_path")
    >>> inputs = np.ones((2, 10, 8))
    >>> rnnstates.extract(inputs, [10, 6], output=folder / "out.h5").close()
    >>> answer = verify(folder / "out.h5", inputs=inputs)
    >>> answer["checksums"], answer["recomputed"], answer["datasets"]["hidden"]["recomputed"] < 1e-6
    ('right', [0, 1], True)
    """
    check_arguments(locals(), required=("path", "sample", "seed"))
    if sample < 0:
        raise OptionError(f"sample={sample}: expected 0 or more.")
    if not 0 <= seed < 2**32:
        raise OptionError(f"seed={seed}: expected 0 to {2**32 - 1}.")
    options = {
        "layer": layer, "convention": convention, "forget_bias": forget_bias, "activation": activation,
        "recurrent_activation": recurrent_activation, "cell_clip": cell_clip, "projection_clip": projection_clip,
        "embedding": embedding, "config": config,
    }  # fmt: skip
    said = {name: value for name, value in options.items() if value is not None}
    given = Given(inputs, weights, initial_state, said)
    where = os.fspath(path)
    refuse_unfinished(where, quick=quick)
    with ExitStack() as closing:
        file, states, promise = _open(where, closing)
        checked = Checked("not looked at", []) if quick else check_bytes(where, file, states, promise)
        pooled = {} if quick else _consistent(where, states, promise)
        recomputed = _sample(where, states, promise, given, rows=choose_rows(promise.shape.lengths, sample, seed))
        recomputed.notes[:0] = checked.notes
        return _answer(where, states, promise, pooled, recomputed) | {"checksums": checked.checksums}


class _Sample(NamedTuple):
    """The result of recomputing; ``reason`` says why there is none."""

    differences: dict[str, float]
    rows: list[int]
    reason: str | None
    notes: list[str]


def _open(where: str, closing: ExitStack) -> tuple[h5py.File, States, Promise]:
    with reading(where, BadStates):
        states = closing.enter_context(open_states(where))
        file = closing.enter_context(open_hdf5(where, BadStates))
        promise = read_promise(states, file, where)
    if (precision := states.provenance["precision"]) not in PRECISIONS:
        raise BadStates(
            f"{where}: was computed in '{precision}'; this version checks {', '.join(PRECISIONS)}. Update rnnstates."
        )
    return file, states, promise


def _consistent(where: str, states: States, promise: Promise) -> dict[str, float]:
    findings = Findings()
    differences = check_values(states, promise, findings)
    findings.refuse(where, DAMAGED)
    return differences


def _sample(where: str, states: States, promise: Promise, given: Given, *, rows: Rows) -> _Sample:
    if not len(rows):
        reason = "a sample of 0 was requested" if states.lengths.any() else "no sequence has any steps"
        return _Sample({}, [], reason, [])
    notes: list[str] = []
    if "model" in states.provenance["weights"]:
        return _Sample({}, [], "the states are those of a whole Keras model, which is not run again", notes)
    with ExitStack() as closing:
        try:
            original = _open_original(where, states, promise, given, notes, closing)
        except NotFound as reason:
            return _Sample({}, [], str(reason), notes)
        findings = Findings()
        try:
            differences = compare_sample(states, promise, original, rows, findings)
        except OutputError as reason:
            return _Sample({}, [], f"there is no room for the recomputed states ({reason})", notes)
        findings.refuse(where, DIFFERENT)
    return _Sample(differences, rows.tolist(), None, notes)


def _open_original(
    where: str, states: States, promise: Promise, given: Given, notes: list[str], closing: ExitStack
) -> Original:
    """Find input, weights and initial states; everything missing is reported together."""
    missing: list[str] = []

    def found(find: Callable[[], Any]) -> Any:
        try:
            return find()
        except NotFound as reason:
            missing.append(str(reason))
        return None

    source = found(lambda: find_source(states, where, given.inputs, notes))
    initial = found(lambda: find_initial(states, promise, where, given.initial_state))
    for opened in (source, initial):
        if opened is not None:
            closing.callback(opened.close)
    network = found(lambda: find_network(states, promise, where, given, notes))
    if missing:
        raise NotFound("; ".join(missing))
    return Original(source, network, initial)


def _answer(
    where: str, states: States, promise: Promise, pooled: dict[str, float], recomputed: _Sample
) -> dict[str, Any]:
    return {
        "file": where,
        "sequences": states.sequences,
        "steps": int(states.lengths.sum()),
        "precision": states.provenance["precision"],
        "datasets": {
            spec.name: {"recomputed": recomputed.differences.get(spec.name), "pooled": pooled.get(spec.name)}
            for spec in promise.specs
        },
        "recomputed": recomputed.rows,
        "reason": recomputed.reason,
        "notes": recomputed.notes,
    }
