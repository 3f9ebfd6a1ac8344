"""Parses the names of arrays from any framework: the module that an array belongs to, and its role and order."""

import functools
import re
from collections.abc import Container as Names

__all__ = [
    "is_counter",
    "is_later",
    "is_other_direction",
    "is_setting",
    "is_slot",
    "leaf_of",
    "module_of",
    "parts_of",
    "shared",
    "words_of",
]

# Suffixes that TensorFlow 2 and Keras append to a name, and parts that only group arrays.
_SUFFIX = re.compile(r"(/\.ATTRIBUTES/VARIABLE_VALUE|:0)$")
_GROUPS = re.compile(r"^(params|model_weights|layers|_layer_checkpoint_dependencies)$")
_PARTS = re.compile(r"[/.|]|\[['\"]?|['\"]?\]")
# What Flax nnx appends to the name of a variable.
_VALUES = {"value", "raw_value"}
# Arrays that only serve training: optimizer slots, step sizes, averages of the weights, losses.
_TRAINING = re.compile(
    r"(^|[/.])(optimi[sz]ers?|opt(im(i[sz]er)?)?_(states?|weights|state_dict)|opt|lr_schedulers?|beta[12]_power|"
    r"criterion|loss|(max_)?exp_avg(_sq)?|momentum_buffer|square_avg)([/.]|$)|"
    r"(^|/)\d+/(acc_grads|e_g|e_x|mu|nu|nu_max|sum_of_squares|trace|v_col|v_row)/|(^|/)OPTIMIZER_SLOT|ExponentialMovingAverage"
)
# Including the transitions of a conditional random field after the states.
_COUNTER = re.compile(
    r"(^|[/._])(num_batches_tracked|global_step|save_counter|iterations?|step|epoch|(start_|end_)?transitions)$|"
    r"seed_generator|(^|[/.])rngs([/.]|$)"
)
# Words for a single number by which a program counts, trains or scores, or which scales its output.
_SETTINGS = {
    *("acc", "accuracy", "best", "count", "counter", "decay", "dropout", "epoch", "epochs", "eps", "epsilon", "iter"),
    *("iters", "iteration", "iterations", "logit", "logits", "loss", "lr", "metric", "momentum", "rate", "score"),
    *("seed", "step", "steps", "temperature", "threshold", "version"),
}
# PyTorch keeps the arrays that replace those of a module below these names.
_STANDING = {"parametrizations", "_packed_params"}
_DIRECTIONS = {"fw", "bw", "forward", "backward", "fwd", "bwd", "rev", "reverse", "left", "right", "l2r", "r2l"}


@functools.lru_cache(maxsize=2**16)
def parts_of(name: str) -> tuple[str, ...]:
    """Split a name into its parts.

    Examples
    --------
    >>> parts_of("encoder.lstm.weight_ih_l0"), parts_of("['params']['Dense_0']['kernel']"), parts_of("a/b/kernel:0")
    (('encoder', 'lstm', 'weight_ih_l0'), ('params', 'Dense_0', 'kernel'), ('a', 'b', 'kernel'))
    >>> parts_of("['proj']['kernel'].value")
    ('proj', 'kernel')
    """
    parts = tuple(part for part in _PARTS.split(_SUFFIX.sub("", name)) if part)
    return parts[:-1] if len(parts) > 1 and parts[-1] in _VALUES else parts


@functools.lru_cache(maxsize=2**16)
def words_of(name: str) -> tuple[str, ...]:
    """Split a name into its words, in lower case.

    Examples
    --------
    >>> words_of("encoder.char_embedding.weight"), words_of("rnns.0")
    (('encoder', 'char', 'embedding', 'weight'), ('rnns', '0'))
    """
    return tuple(word.lower() for part in parts_of(name) for word in part.split("_") if word)


def leaf_of(name: str) -> str:
    """Return the last part of a name: the role of an array in its module."""
    return (parts_of(name) or (name,))[-1]


def module_of(name: str) -> str:
    """Return the name of the module that an array belongs to; an array outside any module is its own.

    Examples
    --------
    >>> module_of("proj.weight"), module_of("params/Dense_0/kernel"), module_of("layers/dense/vars/0"), module_of("w")
    ('proj', 'Dense_0', 'dense', 'w')
    >>> module_of("dense_1/dense_1/kernel:0"), module_of("convs.0.0.weight"), module_of("params/scale")
    ('dense_1', 'convs.0.0', 'scale')
    >>> module_of("fc.parametrizations.weight.0._u"), module_of("fc._packed_params._packed_params.1")
    ('fc', 'fc')
    """
    *around, leaf = parts_of(name) or (name,)
    inside = next((place for place, part in enumerate(around) if place and part in _STANDING), len(around))
    around = around[:inside]
    if "/" not in name and "[" not in name:
        return ".".join(around) or name
    while around and _GROUPS.match(around[0]):
        around = around[1:]
    around = around[:-1] if around[-1:] == ["vars"] else around
    # Keras repeats the name of a layer.
    around = [part for place, part in enumerate(around) if not place or part != around[place - 1]]
    return "/".join(around) or leaf


def shared(name: str, other: str) -> int:
    """Count the leading words that two names share."""
    count = 0
    for ours, theirs in zip(words_of(name), words_of(other), strict=False):
        if ours != theirs:
            break
        count += 1
    return count


def _path_of(name: str) -> str:
    """Write a JAX or TensorFlow path in one form; dotted names, as PyTorch's, stay as they are."""
    return "/".join(parts_of(name)) if "/" in name or "[" in name else name


def is_slot(name: str, names: Names[str]) -> bool:
    """Return whether an array only serves training, by its name or because it lies below another array.

    Examples
    --------
    >>> is_slot("dense/kernel/Adam", {"dense/kernel"}), is_slot("optimizer/vars/3", ()), is_slot("opt_lstm.bias", ())
    (True, True, False)
    >>> is_slot("[1][0].mu.cell.weight_ih", ()), is_slot("['opt_state'][0].nu['Dense_0']['kernel']", ())
    (True, True)
    >>> is_slot("heads.0.mu.weight", ()), is_slot("fc__weight_fisher", {"fc.weight"})
    (False, True)
    """
    below = not name.startswith("/") and name.rpartition("/")[0] in names
    # Elastic weight consolidation stores statistics of each weight under its flattened name.
    flattened = "__" in name and name.rpartition("_")[0].replace("__", ".") in names
    return below or flattened or bool(_TRAINING.search(_path_of(name)))


def is_counter(name: str) -> bool:
    """Return whether an array counts, holds random state or scores transitions between labels.

    Examples
    --------
    >>> is_counter("norm.num_batches_tracked"), is_counter("norm.weight")
    (True, False)
    """
    return bool(_COUNTER.search(_path_of(name)))


def is_setting(leaf: str) -> bool:
    """Return whether, by its name, a number leaves the inputs of a layer unchanged.

    Examples
    --------
    >>> [name for name in ("learning_rate", "gain", "best_loss", "std", "logit_scale") if not is_setting(name)]
    ['gain', 'std']
    """
    return not _SETTINGS.isdisjoint(words_of(leaf))


def is_later(other: str, name: str) -> bool:
    """Return whether two names differ only in a number, and the other one's is greater.

    Examples
    --------
    >>> is_later("rnns.1", "rnns.0"), is_later("rnns.0", "rnns.1"), is_later("decoder.1", "encoder.0")
    (True, False, False)
    >>> is_later("net/lstm_1", "net/lstm"), is_later("net/lstm", "net/lstm_1")
    (True, False)
    """
    # The first name in a framework's numbering has no number.
    if re.fullmatch(rf"{re.escape(name)}_\d+", other):
        return True
    theirs, ours = (re.split(r"(\d+)", each) for each in (other, name))
    differ = [place for place, pair in enumerate(zip(theirs, ours, strict=False)) if pair[0] != pair[1]]
    if len(theirs) != len(ours) or len(differ) != 1 or not differ[0] % 2:
        return False
    return int(theirs[differ[0]]) > int(ours[differ[0]])


def is_other_direction(other: str, name: str) -> bool:
    """Return whether two names differ only in a direction.

    Examples
    --------
    >>> is_other_direction("lstm_bw", "lstm_fw"), is_other_direction("lstm_2", "lstm_1")
    (True, False)
    """
    theirs, ours = words_of(other), words_of(name)
    differ = [pair for pair in zip(theirs, ours, strict=False) if pair[0] != pair[1]]
    return len(theirs) == len(ours) and len(differ) == 1 and set(differ[0]) <= _DIRECTIONS
