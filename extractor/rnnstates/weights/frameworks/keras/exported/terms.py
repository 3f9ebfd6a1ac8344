"""Represents what one step of a loop computes as terms: sums, products and functions of inputs, states and variables.

Equal terms have the same number, so they are easy to compare however often they occur. Columns of a product with a
variable become the product with those columns of the variable, and sums of sums become one sum. So gates computed one
by one, and gates computed together and then split, become the same terms.
"""

from typing import NamedTuple

__all__ = ["Columns", "Term", "Terms", "TooMany"]

MOST_TERMS = 100_000
# Most terms in one sum; gates have four, and perhaps a constant of their activation.
MOST_SUMMANDS = 16

Term = tuple[object, ...]


class Columns(NamedTuple):
    """Columns of a variable and, in a matrix of biases, the row; -1 means all rows."""

    variable: str
    row: int
    start: int
    stop: int


class TooMany(Exception):  # noqa: N818
    """There are more terms than in any cell, or a term contains itself."""


class Terms:
    """Terms by number."""

    def __init__(self) -> None:
        self._numbers: dict[Term, int] = {}
        self._terms: list[Term] = []
        # By variable name, the terms that it is multiplied with, in the order of their first occurrence.
        self.multiplied: dict[str, dict[int, None]] = {}

    def __getitem__(self, number: int) -> Term:
        return self._terms[number]

    def __len__(self) -> int:
        return len(self._terms)

    def of(self, *term: object) -> int:
        """Return the number of a term, given its kind and its parts."""
        if term not in self._numbers:
            if len(self._terms) >= MOST_TERMS:
                raise TooMany
            self._numbers[term] = len(self._terms)
            self._terms.append(term)
        return self._numbers[term]

    def constant(self, value: float) -> int:
        """Return the number of a constant, the same in single and double precision."""
        return self.of("constant", f"{value:.6g}")

    def sum(self, *parts: int) -> int:
        """Add terms."""
        flat: list[int] = []
        for part in parts:
            flat += self._terms[part][1:] if self._terms[part][0] == "sum" else [part]  # type: ignore[arg-type]
        if len(flat) == 1:
            return flat[0]
        return self.of("sum", *sorted(flat)) if len(flat) <= MOST_SUMMANDS else self.of("long sum", *parts)

    def product(self, left: int, right: int) -> int:
        """Multiply two terms."""
        return self.of("product", *sorted((left, right)))

    def variable(self, name: str, start: int, stop: int, row: int = -1) -> int:
        """Take columns of a variable."""
        return self.of("variable", Columns(name, row, start, stop))

    def matmul(self, left: int, variable: int) -> int:
        """Multiply a term with a matrix."""
        columns = self._terms[variable][1]
        assert isinstance(columns, Columns)
        self.multiplied.setdefault(columns.variable, {})[left] = None
        return self.of("matmul", left, variable)

    def apply(self, function: str, *arguments: int) -> int:
        """Apply an operation other than a sum or product."""
        return self.of("apply", function, *arguments)

    def replaced(self, number: int, instead: dict[int, int]) -> int:
        """Rebuild a term with some terms replaced.

        Parameters
        ----------
        number : int
            A term of a few operations, such as one step of a cell.
        instead : dict
            The replacement of each term; terms rebuilt on the way are added to it.
        """
        if number not in instead:
            kind, *parts = self._terms[number]
            if kind not in ("apply", "matmul", "product", "sum"):
                return number
            made = [self.replaced(part, instead) if type(part) is int else part for part in parts]
            if kind == "sum":
                instead[number] = self.sum(*made)  # type: ignore[arg-type]
            else:
                instead[number] = self.product(*made) if kind == "product" else self.of(kind, *made)  # type: ignore[arg-type]
        return instead[number]

    def width(self, number: int) -> int:
        """Count the columns of a term; -1 if variables do not determine it."""
        term = self._terms[number]
        if term[0] == "variable":
            columns = term[1]
            assert isinstance(columns, Columns)
            return columns.stop - columns.start
        if term[0] == "matmul":
            return self.width(term[2])  # type: ignore[arg-type]
        if term[0] == "sum":
            return max(self.width(part) for part in term[1:])  # type: ignore[arg-type]
        return -1

    def columns(self, number: int, start: int, stop: int) -> int:
        """Take columns of a term; those of a sum are the sum of the summands' columns."""
        term = self._terms[number]
        if term[0] == "constant":
            return number
        if term[0] == "variable":
            found = term[1]
            assert isinstance(found, Columns)
            return self.variable(found.variable, found.start + start, found.start + stop, found.row)
        if term[0] == "matmul":
            return self.matmul(term[1], self.columns(term[2], start, stop))  # type: ignore[arg-type]
        if term[0] == "sum":
            return self.sum(*(self.columns(part, start, stop) for part in term[1:]))  # type: ignore[arg-type]
        return self.apply(f"columns {start} to {stop}", number)
