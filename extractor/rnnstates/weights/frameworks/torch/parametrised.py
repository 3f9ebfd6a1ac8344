"""Replaces parametrised weights of PyTorch's modules (``weight_hh_l0_raw``, ``parametrizations.weight_hh_l0.…``).

They become what PyTorch computes from them, under the module's plain names; anything without a fixed formula is
refused.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ....errors import BadWeights
from ...readers import Container, Tensor
from .formulas import FORMULAS
from .sites import Sites, Source, layer_of, sources_of

__all__ = ["Plain", "plain_weights"]

MOST_NAMED = 4


@dataclass(frozen=True)
class Plain:
    """A container whose modules have only plain names.

    Parameters
    ----------
    container : Container
        Without the arrays that stand for weights, with the weights computed from them.
    notes : mapping
        What was computed, by the module's prefix.
    problems : mapping
        Why a module cannot be computed, by the module's prefix.
    """

    container: Container
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


def plain_weights(container: Container) -> Plain:
    """Compute the weights that other arrays stand for, as they are read.

    Parameters
    ----------
    container : Container

    Returns
    -------
    Plain
    """
    sources = sources_of(container)
    if not sources:
        return Plain(container)
    sites = Sites(container, sources)
    claims: dict[str, list[Source]] = {}
    problems: dict[str, str] = {}
    for source in sources:
        homes = sites.homes(source)
        for home in homes:
            claims.setdefault(home, []).append(source)
        if len(homes) > 1:
            problems |= dict.fromkeys(homes, _unclear(container, source, homes))
    tensors = dict(container.tensors)
    for name in (name for found in claims.values() for source in found for name in source.names):
        tensors.pop(name, None)
    notes = {}
    for home, found in claims.items():
        try:
            computed = _computed(container, home, found)
        except BadWeights as reason:
            problems.setdefault(home, str(reason))
            continue
        notes[home] = tuple(_notes(container, home, found))
        tensors |= computed
    return Plain(replace(container, tensors=tensors), notes, problems)


def _computed(container: Container, home: str, sources: Iterable[Source]) -> dict[str, Tensor]:
    """Compute the parameters of one module.

    Raises
    ------
    BadWeights
        There is no formula for a parameter, two wrappers claim it, or shapes disagree.
    """
    where = _where(container, home)
    computed: dict[str, Tensor] = {}
    for source in sources:
        if not source.known:
            raise BadWeights(_unknown(source, where))
        name = home + source.parameter
        if name in computed:
            raise BadWeights(
                f"{where}: '{source.names[0]}' and another array both stand for its {source.parameter}; expected one "
                "of them. Save the state_dict of the module alone."
            )
        value = FORMULAS[frozenset(source.parts)].compute(source.parts, name, where)
        # The copy in the module stands for the same weight.
        computed[name] = replace(value, made_of=(*source.names, name))
        copy = container.tensors.get(name, computed[name])
        if copy.shape != computed[name].shape:
            raise BadWeights(
                f"{where}: '{source.names[0]}' makes a {source.parameter} of shape {computed[name].shape}, but "
                f"'{name}' has {copy.shape}; expected the same. Save the state_dict of the module alone."
            )
    _check_whole(container, home, computed)
    return computed


def _check_whole(container: Container, home: str, computed: Mapping[str, Tensor]) -> None:
    """Refuse weights without the rest of their module: every layer has both a kernel and a recurrent kernel."""
    for name in computed:
        other = f"{home}weight_ih{layer_of(name[len(home) :])}"
        if other not in computed and other not in container.tensors:
            raise BadWeights(
                f"{_where(container, home)}: {_listed(computed)} stand for weights of a module that is not at or below "
                "this place in the file; save the state_dict of the whole model."
            )


def _unclear(container: Container, source: Source, homes: Sequence[str]) -> str:
    modules = _listed(home.rstrip(".") for home in homes if home != source.prefix)
    return (
        f"{container.path}: '{source.names[0]}' may stand for the {source.parameter} of {modules}; expected one module "
        "below it. Save the state_dict of the module alone."
    )


def _unknown(source: Source, where: str) -> str:
    call = f"torch.nn.utils.parametrize.remove_parametrizations(module, '{source.parameter}')"
    if not any(".parametrizations." in f".{name}" for name in source.names):
        call = "prune.remove, remove_weight_norm or remove_spectral_norm of torch.nn.utils, or the wrapper's own way"
    return (
        f"{where}: its {source.parameter} is computed from {_listed(source.names)} in an unknown way; "
        f"restore the plain weight by {call}, and save the state_dict again."
    )


def _notes(container: Container, home: str, sources: Iterable[Source]) -> Iterator[str]:
    kinds: dict[str, list[Source]] = {}
    for source in sources:
        kinds.setdefault(FORMULAS[frozenset(source.parts)].called, []).append(source)
    for called, found in kinds.items():
        parameters = [source.parameter for source in found]
        names = [name for source in found for name in source.names]
        copies = [home + parameter for parameter in parameters if home + parameter in container.tensors]
        beside = f"; the stored {_listed(copies)} is not used" if copies else ""
        verb = "is" if len(parameters) == 1 else "are"
        yield (
            f"{_where(container, home)}: {_listed(parameters, '')} {verb} computed from {_listed(names)} ({called}), "
            f"as PyTorch does in evaluation, if nothing else changes the result{beside}."
        )


def _listed(names: Iterable[str], quote: str = "'") -> str:
    listed = list(names)
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return ", ".join(f"{quote}{name}{quote}" for name in listed[:MOST_NAMED]) + more


def _where(container: Container, home: str) -> str:
    return f"{container.path}: '{home.rstrip('.')}'" if home else container.path
