"""Recognises activations by comparing a term with the terms by which TensorFlow computes each of them."""

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


def _gelu(terms: Terms, x: int, root: float = 0.5**0.5) -> int:
    complement = terms.apply("Erfc", terms.product(terms.constant(root), terms.apply("Neg", x)))
    return terms.product(complement, terms.product(x, terms.constant(0.5)))


def _celu(terms: Terms, x: int) -> int:
    below = terms.apply("RealDiv", terms.apply("Minimum", x, terms.constant(0)), terms.constant(1))
    bent = terms.product(terms.constant(1), terms.apply("Expm1", below))
    return terms.sum(bent, terms.apply("Maximum", x, terms.constant(0)))


def _hard_shrink(terms: Terms, x: int) -> int:
    large = terms.apply("Greater", terms.apply("Abs", x), terms.constant(0.5))
    return terms.apply("SelectV2", large, x, terms.apply("ZerosLike", x))


def _soft_shrink(terms: Terms, x: int) -> int:
    below = terms.apply("Less", x, terms.constant(-0.5))
    inner = terms.apply("SelectV2", below, terms.sum(x, terms.constant(0.5)), terms.apply("ZerosLike", x))
    above = terms.apply("Greater", x, terms.constant(0.5))
    return terms.apply("SelectV2", above, terms.apply("Sub", x, terms.constant(0.5)), inner)


def _sparse_plus(terms: Terms, x: int) -> int:
    squared = terms.apply("Pow", terms.sum(terms.constant(1), x), terms.constant(2))
    bent = terms.product(squared, terms.constant(0.25))
    inner = terms.apply("SelectV2", terms.apply("Less", x, terms.constant(1)), bent, x)
    return terms.apply("SelectV2", terms.apply("LessEqual", x, terms.constant(-1)), terms.apply("ZerosLike", x), inner)


def _sparse_sigmoid(terms: Terms, x: int) -> int:
    bent = terms.product(terms.sum(terms.constant(1), x), terms.constant(0.5))
    above = terms.apply("GreaterEqual", x, terms.constant(1))
    inner = terms.apply("SelectV2", above, terms.constant(1), bent)
    return terms.apply("SelectV2", terms.apply("LessEqual", x, terms.constant(-1)), terms.constant(0), inner)


def _squareplus(terms: Terms, x: int) -> int:
    root = terms.apply("Sqrt", terms.sum(terms.constant(4), terms.apply("Square", x)))
    return terms.apply("RealDiv", terms.sum(x, root), terms.constant(2))


# Every known way in which Keras 2 and Keras 3 write a function.
SPELLINGS: dict[str, tuple[Callable[[Terms, int], int], ...]] = {
    "celu": (_celu,),
    "elu": (_operation("Elu"),),
    "exponential": (_operation("Exp"),),
    # With the root in single precision, and in 16 bits.
    "gelu": (_gelu, lambda terms, x: _gelu(terms, x, 0.707)),
    "hard_shrink": (_hard_shrink,),
    "hard_sigmoid": (_hard_sigmoid,),
    "hard_sigmoid_fifth": (
        lambda terms, x: _clipped(terms, _fifth(terms, x), 0, 1),
        lambda terms, x: _clip_by_value(terms, _fifth(terms, x), 0, 1),
    ),
    "hard_silu": (lambda terms, x: terms.product(x, _hard_sigmoid(terms, x)),),
    "hard_tanh": (lambda terms, x: _clipped(terms, x, -1, 1), lambda terms, x: _clip_by_value(terms, x, -1, 1)),
    "leaky_relu": (_operation("LeakyRelu 0.2"),),
    "linear": (lambda _terms, x: x,),
    "log_sigmoid": (lambda terms, x: terms.apply("Neg", terms.apply("Softplus", terms.apply("Neg", x))),),
    "mish": (_mish,),
    "relu": (_operation("Relu"),),
    "relu6": (_operation("Relu6"),),
    "selu": (_operation("Selu"),),
    "sigmoid": (_operation("Sigmoid"),),
    "silu": (_silu, _silu_with_factor),
    "soft_shrink": (_soft_shrink,),
    "softmax": (_operation("Softmax"),),
    "softplus": (_operation("Softplus"),),
    "softsign": (_operation("Softsign"),),
    "sparse_plus": (_sparse_plus,),
    "sparse_sigmoid": (_sparse_sigmoid,),
    "squareplus": (_squareplus,),
    "tanh": (_operation("Tanh"),),
    "tanh_shrink": (lambda terms, x: terms.apply("Sub", x, terms.apply("Tanh", x)),),
}


def applied(terms: Terms, x: int) -> dict[int, str]:
    """Return the name of each activation by the term that it makes of a term."""
    return {spelling(terms, x): name for name, spellings in SPELLINGS.items() for spelling in spellings}
