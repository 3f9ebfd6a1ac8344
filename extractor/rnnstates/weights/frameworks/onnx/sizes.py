"""Represents sizes of axes that are known only when a model runs: products of named sizes, and their arithmetic."""

from dataclasses import dataclass

__all__ = ["AxisSize", "Size", "named", "product"]

# Limits for a graph that multiplies sizes with themselves again and again.
MOST_FACTORS, LONGEST_NAME = 16, 200


@dataclass(frozen=True)
class Size:
    """An unknown whole number: ``times`` the product of ``factors``, the sorted names of sizes.

    Two sizes are equal only if they must be.
    """

    times: int
    factors: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.factors) > MOST_FACTORS or any(len(name) > LONGEST_NAME for name in self.factors):
            raise ValueError("a size has too many factors")

    def __str__(self) -> str:
        return " * ".join([str(self.times)] * (self.times != 1) + list(self.factors))

    def __mul__(self, other: "AxisSize") -> "AxisSize":
        if isinstance(other, Size):
            return Size(self.times * other.times, tuple(sorted(self.factors + other.factors)))
        return Size(self.times * int(other), self.factors) if other else 0

    __rmul__ = __mul__

    def __floordiv__(self, other: "AxisSize") -> "AxisSize":
        times, factors = (other.times, other.factors) if isinstance(other, Size) else (int(other), ())
        left = list(self.factors)
        for name in factors:
            if name not in left:
                return named(f"({self} // {other})")
            left.remove(name)
        if not times or self.times % times:
            return named(f"({self} // {other})")
        return Size(self.times // times, tuple(left)) if left else self.times // times

    def __rfloordiv__(self, other: int) -> "AxisSize":
        return named(f"({other} // {self})")

    def __add__(self, other: "AxisSize") -> "AxisSize":
        if isinstance(other, Size) and other.factors == self.factors:
            times = self.times + other.times
            return Size(times, self.factors) if times else 0
        return named(f"({self} + {other})") if other else self

    __radd__ = __add__

    def __neg__(self) -> "Size":
        return Size(-self.times, self.factors)

    def __sub__(self, other: "AxisSize") -> "AxisSize":
        return self + -other

    def __rsub__(self, other: "AxisSize") -> "AxisSize":
        return -self + other


AxisSize = int | Size


def named(name: str) -> Size:
    """Return the size of that name."""
    return Size(1, (name,))


def product(sizes: "tuple[AxisSize, ...] | list[AxisSize]") -> AxisSize:
    """Multiply sizes."""
    total: AxisSize = 1
    for size in sizes:
        total = total * size
    return total
