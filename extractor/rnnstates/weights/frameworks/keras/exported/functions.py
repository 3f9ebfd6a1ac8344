"""How TensorFlow computes each activation, as terms: a term is recognised by making the ones that it could be."""

from collections.abc import Callable

from .terms import Terms

__all__ = ["applied"]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _operation(name: str) -> Callable[[Terms, int], int]:
    return lambda terms, x: terms.apply(name, x)


def _clipped(terms: Terms, x: int, low: float, high: float) -> int:
    return terms.apply("Maximum", terms.apply("Minimum", x, terms.constant(high)), terms.constant(low))


def _clip_by_value(terms: Terms, x: int, low: float, high: float) -> int:
    return terms.apply("ClipByValue", x, terms.constant(low), terms.constant(high))


def _fifth(terms: Terms, x: int) -> int:
    return terms.sum(terms.product(terms.constant(0.2), x), terms.constant(0.5))


def _relu6_shifted(terms: Terms, x: int) -> int:
    return terms.apply("Relu6", terms.sum(x, terms.constant(3)))


def _hard_sigmoid(terms: Terms, x: int) -> int:
    return terms.apply("RealDiv", _relu6_shifted(terms, x), terms.constant(6))


def _silu(terms: Terms, x: int) -> int:
    return terms.product(x, terms.apply("Sigmoid", x))


def _silu_with_factor(terms: Terms, x: int) -> int:
    return terms.product(x, terms.apply("Sigmoid", terms.product(terms.constant(1), x)))


def _mish(terms: Terms, x: int) -> int:
    return terms.product(x, terms.apply("Tanh", terms.apply("Softplus", x)))


def _gelu(terms: Terms, x: int) -> int:
    erf = terms.apply("Erf", terms.apply("RealDiv", x, terms.constant(2**0.5)))
    return terms.product(terms.product(terms.constant(0.5), x), terms.sum(terms.constant(1), erf))


# Every way in which Keras 2 and Keras 3 are known to write a function.
SPELLINGS: dict[str, tuple[Callable[[Terms, int], int], ...]] = {
    "elu": (_operation("Elu"),),
    "exponential": (_operation("Exp"),),
    "gelu": (_gelu,),
    "hard_sigmoid": (_hard_sigmoid,),
    "hard_sigmoid_fifth": (
        lambda terms, x: _clipped(terms, _fifth(terms, x), 0, 1),
        lambda terms, x: _clip_by_value(terms, _fifth(terms, x), 0, 1),
    ),
    "hard_silu": (lambda terms, x: terms.product(x, _hard_sigmoid(terms, x)),),
    "hard_tanh": (lambda terms, x: _clipped(terms, x, -1, 1), lambda terms, x: _clip_by_value(terms, x, -1, 1)),
    "linear": (lambda _terms, x: x,),
    "mish": (_mish,),
    "relu": (_operation("Relu"),),
    "relu6": (_operation("Relu6"),),
    "selu": (_operation("Selu"),),
    "sigmoid": (_operation("Sigmoid"),),
    "silu": (_silu, _silu_with_factor),
    "softplus": (_operation("Softplus"),),
    "softsign": (_operation("Softsign"),),
    "tanh": (_operation("Tanh"),),
}


def applied(terms: Terms, x: int) -> dict[int, str]:
    """Name the activation by the term that it makes of a term."""
    return {spelling(terms, x): name for name, spellings in SPELLINGS.items() for spelling in spellings}
