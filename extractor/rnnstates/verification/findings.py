"""Collects what is wrong with a states file, by dataset and kind, with the first few places of each."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..errors import BadStates

__all__ = ["MOST_SHOWN", "Findings", "shortened"]

MOST_SHOWN = 5


@dataclass
class _Finding:
    """One thing that is wrong with one dataset."""

    expected: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Findings:
    """A list of faults that stays short however many there are.

    Examples
    --------
    >>> findings = Findings()
    >>> findings.add("'hidden' is not zero past the length", 3, "step 5 is 0.5", expected="zeros there")
    >>> bool(findings), findings.sentences()
    (True, "'hidden' is not zero past the length in sequence 3 (step 5 is 0.5); expected zeros there.")
    """

    def __init__(self) -> None:
        self._found: dict[str, _Finding] = {}

    def add(self, what: str, sequence: int, detail: str, *, expected: str) -> None:
        """Record a sequence in which something is wrong."""
        finding = self._found.setdefault(what, _Finding(expected))
        finding.count += 1
        if len(finding.examples) < MOST_SHOWN:
            finding.examples.append(f"{sequence} ({detail})")

    def __bool__(self) -> bool:
        return bool(self._found)

    def sentences(self) -> str:
        """Return a text with one sentence per kind of fault, at most five."""
        sentences = [_sentence(what, finding) for what, finding in self._found.items()]
        return " ".join(shortened(sentences, "And {} more."))

    def refuse(self, path: str, advice: str) -> None:
        """Raise an error if anything was found.

        Raises
        ------
        BadStates
        """
        if self:
            raise BadStates(f"{path}: {self.sentences()} {advice}")


def shortened(texts: Iterable[str], more: str = "and {} more") -> list[str]:
    """Keep the first five and add how many more there are."""
    listed = list(texts)
    rest = len(listed) - MOST_SHOWN
    return listed if rest <= 0 else [*listed[:MOST_SHOWN], more.format(rest)]


def _sentence(what: str, finding: _Finding) -> str:
    shown = ", ".join(finding.examples)
    if finding.count == 1:
        return f"{what} in sequence {shown}; expected {finding.expected}."
    which = "" if finding.count <= MOST_SHOWN else "the first "
    return f"{what} in {finding.count} sequences, {which}{shown}; expected {finding.expected}."
