"""What is known of one kind of file, and how it is recognised."""

from enum import Enum
from typing import NamedTuple

__all__ = ["Holds", "Kind", "Wanted"]


class Holds(Enum):
    """What a file of a kind has in it, as far as this package is concerned."""

    MODEL = "a model whose weights are not read from this kind"
    VALUES = "values that could be sequences, lengths or ids, but are not read from this kind"
    NEITHER = "nothing to read, or anything"
    WEIGHTS = "weights, which are read; but no sequences"
    INPUTS = "sequences, which are read; but no weights"
    BOTH = "sequences or weights, which are read"


class Wanted(Enum):
    """What the user gave the file as."""

    WEIGHTS = "weights"
    INPUTS = "sequences"
    LIST = "lengths or ids"
    STATES = "states to start from"
    ANY = "whatever it is"


# What is read where it is wanted is not foreign there.
_READ = {
    Wanted.WEIGHTS: (Holds.WEIGHTS, Holds.BOTH),
    Wanted.INPUTS: (Holds.INPUTS, Holds.BOTH),
    Wanted.LIST: (Holds.INPUTS,),
    Wanted.STATES: (Holds.BOTH,),
    Wanted.ANY: (Holds.WEIGHTS, Holds.INPUTS, Holds.BOTH),
}


class Kind(NamedTuple):
    """One kind of file.

    Parameters
    ----------
    found : str
        What it is, with its article.
    mend : str
        The shortest way out, whole sentences.
    holds : Holds
    """

    found: str
    mend: str
    holds: Holds = Holds.MODEL

    def is_foreign(self, wanted: Wanted) -> bool:
        """Tell whether a file of this kind cannot be read where it was given."""
        return self.holds not in _READ[wanted]

    def message(self, expected: str, wanted: Wanted) -> str:
        """Say what was found, what was expected, and what to do.

        Examples
        --------
        >>> Kind("a flower", "Draw it.", Holds.MODEL).message("a .npy file", Wanted.INPUTS)
        'a flower; expected a .npy file. It is a model: sequences are wanted here, weights go to --weights. Draw it.'
        """
        return f"{self.found}; expected {expected}. {self._way_out(wanted)}"

    def _way_out(self, wanted: Wanted) -> str:
        if self.holds is Holds.MODEL and wanted is Wanted.INPUTS:
            return f"It is a model: sequences are wanted here, weights go to --weights. {self.mend}"
        if self.holds is Holds.VALUES and wanted is Wanted.WEIGHTS:
            return "It holds values and no model; check the path."
        if self.holds in (Holds.MODEL, Holds.VALUES) and wanted is Wanted.LIST:
            return "Save the list as text, one entry on each line, or as an array with np.save."
        if self.holds is not Holds.NEITHER and wanted is Wanted.STATES:
            return "Save the states by name: np.savez('states.npz', hidden=..., cell=...)."
        return self.mend
