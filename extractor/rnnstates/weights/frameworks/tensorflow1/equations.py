"""Recognises the equations of a cell in the terms of a graph: order of the gates, activation, forget bias, clips.

Equations that differ from those of ``LSTMCell``, ``GRUCell`` and ``BasicRNNCell`` in anything else are not recognised;
the closest match is kept for the message.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..keras.exported.functions import applied
from .graph import VARIABLES
from .terms import StepTerms

__all__ = ["Equations", "Found", "Product"]

DEEPEST = 8
MOST_INSIDE = 200


@dataclass(frozen=True)
class Product:
    """One product of a step: the factors of the parts of a kernel, the roles of the kernel and the bias."""

    factors: tuple[int, ...]
    kernel: str
    bias: str

    def part(self, terms: StepTerms, block: int, units: int) -> frozenset[int]:
        """Return the summands of one block of its columns."""
        start, stop = block * units, (block + 1) * units
        columns = [terms.variable(f"{self.kernel}/{number}", start, stop) for number in range(len(self.factors))]
        products = [terms.matmul(factor, matrix) for factor, matrix in zip(self.factors, columns, strict=True)]
        return frozenset([*products, terms.variable(self.bias, start, stop)])


@dataclass(frozen=True)
class Found:
    """How a step is computed.

    Parameters
    ----------
    settings : mapping
        Activation, forget bias, clips.
    gates : tuple of str
        The order of the blocks.
    hidden : int
        The term of the new hidden state.
    cell, cell_before : int
        The terms of the new and the previous cell state; -1 if there is none.
    before : int
        The term of the previous hidden state, if the equations show it; otherwise -1.
    """

    settings: Mapping[str, Any]
    gates: tuple[str, ...]
    hidden: int
    cell: int = -1
    cell_before: int = -1
    before: int = -1


@dataclass
class Equations:
    """Recognises the new hidden state of one step.

    Parameters
    ----------
    terms : StepTerms
    units : int
    widths : mapping
        The number of columns of each variable of the cell, by its role.
    """

    terms: StepTerms
    units: int
    widths: Mapping[str, int]
    # The best description of what was not recognised, and how far recognition got.
    problem: str = ""
    _depth: int = field(default=0)

    def simple_rnn(self, product: Product, hidden: int) -> Found | None:
        """Recognise ``act([x, h] W + b)``."""
        total = self.terms.sum(*product.part(self.terms, 0, self.units))
        activation = applied(self.terms, total).get(hidden)
        return None if activation is None else Found({"activation": activation}, ("candidate",), hidden)

    def gru(self, product: Product, candidates: Sequence[Product], hidden: int) -> Found | None:
        """Recognise ``u h + (1 - u) act([x, r h] W + b)``."""
        for kept, added in self.either(hidden, "sum"):
            for update, before in self.either(kept, "product"):
                block = self._gate(product, update, 2)
                rest = self.terms.apply("Sub", self.terms.constant(1), update)
                if block is None or block[1]:
                    continue
                self._report(2, f"computes the hidden state by {self.terms.described(hidden)}")
                for one, candidate in self.either(added, "product"):
                    reset = self.terms.apply(
                        "Sigmoid", self.terms.sum(*product.part(self.terms, 1 - block[0], self.units))
                    )
                    if one != rest or before not in product.factors:
                        continue
                    activation = self._reset(candidates, candidate, self.terms.product(reset, before))
                    if activation:
                        gates = ("reset_gate", "update_gate") if block[0] else ("update_gate", "reset_gate")
                        return Found({"activation": activation}, (*gates, "candidate"), hidden, before=before)
        return None

    def _reset(self, candidates: Sequence[Product], candidate: int, reset: int) -> str:
        for product in candidates:
            total = self.terms.sum(*product.part(self.terms, 0, self.units))
            activation = applied(self.terms, total).get(candidate)
            if activation and reset in product.factors:
                return activation
        self._unknown(candidate)
        return ""

    def lstm(self, product: Product, hidden: int) -> Found | None:
        """Recognise ``sigmoid(o) act(c)``, projected and clipped if the cell does so."""
        settings: dict[str, Any] = {}
        whole = hidden
        if "projection" in self.widths:
            settings["projection_clip"], projected = self._clipped(hidden)
            matrix = self.terms.variable("projection/0", 0, self.widths["projection"])
            if self.terms.function(projected) != "matmul" or self.terms.operands(projected)[1] != matrix:
                return None
            hidden = self.terms.operands(projected)[0]
        for gate, other in self.either(hidden, "product"):
            block = self._gate(product, gate, 4)
            for cell in self._inside(other) if block is not None else ():
                found = None if block is None else self._cell(product, cell, block[0])
                activation = None if found is None else applied(self.terms, cell).get(other)
                if found is None or block is None:
                    continue
                if activation != found.settings["activation"]:
                    name = activation or self.terms.described(other, 1)
                    self._report(
                        4, f"applies {name} to the cell state, but {found.settings['activation']} to the candidate"
                    )
                elif block[1] == self._peephole("output", cell):
                    gates = [*found.gates]
                    gates[block[0]] = "output_gate"
                    return Found({**found.settings, **settings}, tuple(gates), whole, cell, found.cell_before)
                else:
                    self._report(4, "adds something other than LSTMCell does to the output gate")
        return None

    def _cell(self, product: Product, cell: int, output: int) -> Found | None:
        """Recognise ``sigmoid(f) c + sigmoid(i) act(j)``, clipped if the cell does so."""
        clip, whole = self._clipped(cell)
        for kept, added in self.either(whole, "sum"):
            for forget, before in self.either(kept, "product"):
                first = self._gate(product, forget, 4)
                if first is None:
                    continue
                for entry, candidate in self.either(added, "product"):
                    second = self._gate(product, entry, 4)
                    if second is not None and len({first[0], second[0], output}) == 3:
                        blocks = {"input_gate": second[0], "forget_gate": first[0], "output_gate": output}
                        blocks["candidate"] = 6 - sum(blocks.values())
                        activation = self._candidate(product, blocks["candidate"], candidate)
                        bias = self._added(before, first[1], second[1]) if activation else None
                        if bias is not None:
                            settings = {"activation": activation, "forget_bias": bias, "cell_clip": clip}
                            return Found(settings, tuple(sorted(blocks, key=blocks.__getitem__)), -1, cell, before)
                self._report(2, f"computes the cell state by {self.terms.described(whole)}")
        return None

    def _candidate(self, product: Product, block: int, candidate: int) -> str:
        total = self.terms.sum(*product.part(self.terms, block, self.units))
        activation = applied(self.terms, total).get(candidate, "")
        if not activation and total in self._inside(candidate):
            self._unknown(candidate)
        return activation

    def _added(self, before: int, forget: frozenset[int], entry: frozenset[int]) -> float | None:
        """Return what is added to the forget gate besides its peephole; None if the gates have anything else added."""
        peephole = self._peephole("forget", before)
        rest = [self.terms.exact.get(number) for number in forget - peephole]
        if entry != self._peephole("input", before) or not peephole <= forget or len(rest) > 1 or None in rest:
            self._report(3, "adds something other than LSTMCell does to the input or the forget gate")
            return None
        return rest[0] if rest else 0.0

    def _peephole(self, gate: str, cell: int) -> frozenset[int]:
        role = f"{gate}_peephole"
        if role not in self.widths:
            return frozenset()
        return frozenset([self.terms.product(self.terms.variable(role, 0, self.units), cell)])

    def _gate(self, product: Product, number: int, count: int) -> tuple[int, frozenset[int]] | None:
        """Return the block that a gate is made of, and what else is added to it."""
        if self.terms.function(number) != "Sigmoid":
            return None
        whole = self.terms.operands(number)[0]
        summands = frozenset(self.terms.operands(whole) if self.terms.function(whole) == "sum" else [whole])
        for block in range(count):
            if (part := product.part(self.terms, block, self.units)) <= summands:
                return block, summands - part
        return None

    def _clipped(self, number: int) -> tuple[float | None, int]:
        """Separate a value clipped to symmetric bounds from the bound."""
        name, operands = self.terms.function(number), self.terms.operands(number)
        bounds = [self.terms.exact.get(bound) for bound in operands[1:]]
        if name == "ClipByValue" and len(bounds) == 2 and None not in bounds:
            return (bounds[1], operands[0]) if bounds[0] == -bounds[1] else (None, number)  # type: ignore[operator]
        other = {"Maximum": "Minimum", "Minimum": "Maximum"}.get(name)
        if len(bounds) == 1 and bounds[0] is not None and self.terms.function(operands[0]) == other:
            inner, opposite = self.terms.operands(operands[0])
            if self.terms.exact.get(opposite) == -bounds[0] and (bounds[0] > 0) == (name == "Minimum"):
                return abs(bounds[0]), inner
        return None, number

    def passed_on(self, made: Mapping[int, Found], term: int | None) -> Found | None:
        """Find the state that is passed on, perhaps only for the rows selected by a mask."""
        if term is None or term in made:
            return None if term is None else made[term]
        if self.terms.function(term) in ("Select", "SelectV2"):
            chosen = [made[part] for part in self.terms.operands(term)[1:] if part in made]
            return chosen[0] if len(chosen) == 1 else None
        for mask, new in self.either(term, "product"):
            if new in made and self._is_mask(mask):
                return made[new]
        for one, other in self.either(term, "sum"):
            for mask, new in self.either(one, "product"):
                rest = self.terms.apply("Sub", self.terms.constant(1), mask)
                if new in made and self._is_mask(mask) and rest in self.terms.operands(other):
                    return made[new]
        return None

    def _is_mask(self, term: int) -> bool:
        """Return whether a term may be a mask of rows: it is neither trained nor constant."""
        if self.terms.function(term) == "Sub":
            one, other = self.terms.operands(term)
            return one == self.terms.constant(1) and self._is_mask(other)
        return self.terms[term][0] == "leaf" and self.terms[term][2] not in VARIABLES

    def either(self, number: int, kind: str) -> Iterator[tuple[int, int]]:
        """Yield the two operands of a ``sum`` or ``product`` in both orders; nothing for other terms."""
        operands = self.terms.operands(number)
        if self.terms.function(number) == kind and len(operands) == 2:
            yield operands[0], operands[1]
            yield operands[1], operands[0]

    def _inside(self, number: int) -> Iterator[int]:
        """Walk over a term and the terms that it is made of, to the depth of an activation."""
        waiting, seen = [(number, 0)], {number}
        while waiting:
            here, depth = waiting.pop(0)
            yield here
            is_near = depth < DEEPEST and len(seen) < MOST_INSIDE and self.terms.function(here) != "matmul"
            for part in self.terms.operands(here) if is_near else ():
                if part not in seen:
                    seen.add(part)
                    waiting.append((part, depth + 1))

    def _unknown(self, candidate: int) -> None:
        self._report(
            3, f"computes the candidate by {self.terms.described(candidate, 0)}, which is not a known activation"
        )

    def _report(self, depth: int, text: str) -> None:
        if depth > self._depth:
            self.problem, self._depth = text, depth
