"""Chooses the stack to run: the only one, the one that ``layer`` names, or numbered ones as a chain."""

import difflib
import itertools
import re

from ..errors import BadWeights, OptionError
from .stack import Model, StoredStack

__all__ = ["choose", "whole_stacks"]

MOST_NAMED = 20
# Finding a similar name takes time for each name and character.
MOST_GUESSED, LONGEST_GUESSED = 1000, 200


def choose(model: Model, layer: str | None, where: str) -> tuple[str, ...]:
    """Return the last layer of each stack to run: one, or several that feed each other in this order.

    Parameters
    ----------
    model : Model
    layer : str or None
        A layer of the model; ``rnns.*`` means all named ``rnns.`` and a number, the lowest number first.
    where : str
        The file.

    Raises
    ------
    BadWeights
        There is none, or several and no ``layer``; or none of that name.
    OptionError
        ``layer`` has more than one ``*``.
    """
    recurrent = model.recurrent()
    if not recurrent:
        present = ", ".join(model.present()[:MOST_NAMED]) or "no layers"
        raise BadWeights(f"{where}: no recurrent layer found; expected LSTM, GRU or RNN. Present: {present}.")
    if layer is not None and "*" in layer:
        return _chain(layer, list(recurrent), model.tops(), where)
    if layer is not None:
        return (_named(layer, list(recurrent), model.tops(), where),)
    tops = model.tops()
    if not tops:
        raise BadWeights(f"{where}: its recurrent layers feed each other in a circle; the configuration is damaged.")
    if len(tops) > 1:
        choices = ", ".join(f"layer={top!r} ({recurrent[top]})" for top in tops[:MOST_NAMED])
        raise BadWeights(f"{where}: has {len(tops)} recurrent stacks; choose one: {choices}.{_as_chain(model)}")
    return (tops[0],)


def whole_stacks(model: Model) -> dict[str, StoredStack]:
    """Return every stack that can be computed, by the name of its highest layer."""
    stacks = {top: _computed(model, top) for top in model.tops()}
    return {top: stack for top, stack in stacks.items() if stack is not None}


def _computed(model: Model, top: str) -> StoredStack | None:
    try:
        return model.stack(top)
    except BadWeights:
        return None


def _named(layer: str, names: list[str], tops: list[str], where: str) -> str:
    if layer in names:
        return layer
    inside = [name for name in names if name.endswith((f"/{layer}", f".{layer}"))]
    # The module of a stack stands for its highest layer.
    inside = inside or [top for top in tops if top.startswith((f"{layer}.", f"{layer}/"))]
    if len(inside) == 1:
        return inside[0]
    if inside:
        raise BadWeights(f"{where}: several layers are called '{layer}'; choose one: {', '.join(inside[:MOST_NAMED])}.")
    close = difflib.get_close_matches(layer[:LONGEST_GUESSED], names[:MOST_GUESSED], n=1)
    guess = f" Did you mean '{close[0]}'?" if close else ""
    raise BadWeights(f"{where}: no recurrent layer '{layer}'; found: {', '.join(names[:MOST_NAMED])}.{guess}")


def _chain(pattern: str, names: list[str], tops: list[str], where: str) -> tuple[str, ...]:
    """Find the stacks that match a pattern with one ``*`` for a number, in the order of the numbers."""
    if pattern.count("*") != 1:
        raise OptionError(f"layer={pattern!r}: has several *; expected one, which stands for a number.")
    start, end = map(re.escape, pattern.split("*"))
    # A layer of a module with several may follow: rnns.0.l1.
    matches = {top: re.fullmatch(rf"{start}_?(\d{{1,9}}){end}(?:[./].+)?", top) for top in tops}
    found: dict[int, list[str]] = {}
    for top, match in matches.items():
        if match:
            found.setdefault(int(match[1]), []).append(top)
    # Frameworks number names from the second one on: lstm, lstm_1.
    plain = pattern.replace("*", "").rstrip("_")
    if plain in tops and 0 not in found:
        found[0] = [plain]
    twice = next((tops for tops in found.values() if len(tops) > 1), None)
    if not found or twice:
        problem = f"{', '.join(twice[:MOST_NAMED])} have the same number" if twice else "no stack has such a name"
        raise BadWeights(f"{where}: layer={pattern!r}: {problem}; found: {', '.join(names[:MOST_NAMED])}.")
    return tuple(found[number][0] for number in sorted(found))


def _as_chain(model: Model) -> str:
    """Suggest the chain of numbered stacks, if the widths of one fit and the file does not rule it out."""
    if model.connected:
        return ""
    whole, chains = whole_stacks(model), dict[str, dict[int, StoredStack]]()
    for top, stack in whole.items():
        # Any of the numbers in a name may be the relevant one.
        for number in re.finditer(r"\d{1,9}", top):
            chains.setdefault(f"{top[: number.start()]}*{top[number.end() :]}", {})[int(number[0])] = stack
    for pattern, numbered in chains.items():
        # Frameworks number names from the second one on: lstm, lstm_1.
        plain = pattern.removesuffix("_*")
        stacks = [whole[plain]] if plain in whole else []
        stacks += [numbered[number] for number in sorted(numbered)]
        widths = [(stack.layers[0].features, stack.layers[-1].width) for stack in stacks]
        if len(stacks) > 1 and all(below[1] == above[0] for below, above in itertools.pairwise(widths)):
            return f" If they feed each other in the order of their numbers: layer={pattern!r}."
    return ""
