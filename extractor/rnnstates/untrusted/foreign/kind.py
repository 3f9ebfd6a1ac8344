"""``Kind``: one kind of file, what it holds, and the message that refuses it."""

from enum import Enum
from typing import NamedTuple

__all__ = ["Holds", "Kind", "Wanted"]


class Holds(Enum):
    """What a kind of file holds, as far as this package is concerned."""

    MODEL = "a model whose weights are not read from this kind"
    VALUES = "values that could be sequences, lengths or ids, but are not read from this kind"
    EITHER = "values or a model, neither of which is read from this kind"
    NEITHER = "nothing to read, or a file of any kind inside"
    WEIGHTS = "weights, which are read; but no sequences"
    INPUTS = "sequences, which are read; but no weights"
    TABLE = "sequences in a table or a Zarr store, which are read; but neither weights nor single lists"
    BOTH = "sequences or weights, which are read"
    ARRAYS = "arrays by name, sequences or weights, which are read"
    SETTINGS = "the settings of a model without its weights; they are read beside them"
    TEXT = "weights or settings, both of which are read; but no sequences"


class Wanted(Enum):
    """What the user gave the file for."""

    WEIGHTS = "weights"
    INPUTS = "sequences"
    LIST = "lengths or ids"
    STATES = "states to start from"
    ARRAYS = "arrays by name, sequences or weights, which are read"
    SETTINGS = "the settings of a model"
    OUTPUT = "what extract wrote"
    ANY = "whatever it is"


# What can be read in each place, and so is not foreign there.
_READ = {
    Wanted.WEIGHTS: (Holds.WEIGHTS, Holds.BOTH, Holds.ARRAYS, Holds.TEXT),
    Wanted.INPUTS: (Holds.INPUTS, Holds.TABLE, Holds.BOTH, Holds.ARRAYS),
    Wanted.LIST: (Holds.INPUTS,),
    Wanted.STATES: (Holds.BOTH,),
    Wanted.SETTINGS: (Holds.SETTINGS, Holds.TEXT),
    Wanted.OUTPUT: (Holds.BOTH,),
    Wanted.ANY: (Holds.WEIGHTS, Holds.INPUTS, Holds.TABLE, Holds.BOTH, Holds.ARRAYS, Holds.TEXT),
}
# Where neither sequences nor weights are wanted, the advice depends on the place and not on the kind.
_WAYS = {
    Wanted.LIST: "Save the list as text, one entry per line, or as an array with np.save.",
    Wanted.STATES: "Save the states by name: np.savez('states.npz', hidden=..., cell=...).",
    Wanted.SETTINGS: (
        "Write the configuration where the model was made: open('model.json', 'w').write(model.to_json()). A whole "
        "model (.keras, .h5) needs none."
    ),
    Wanted.OUTPUT: "Give the file that extract wrote.",
}


class Kind(NamedTuple):
    """One kind of file.

    Parameters
    ----------
    found : str
        What it is, with its article.
    mend : str
        What to do, in whole sentences.
    holds : Holds
    mend_of_inputs : str
        A sentence added to it where sequences are wanted.
    """

    found: str
    mend: str
    holds: Holds = Holds.MODEL
    mend_of_inputs: str = ""

    def is_foreign(self, wanted: Wanted) -> bool:
        """Return whether a file of this kind cannot be read where it was given."""
        return self.holds not in _READ[wanted]

    def message(self, expected: str, wanted: Wanted) -> str:
        """Say what was found, what was expected, and what to do.

        Examples
        --------
        >>> Kind("a flower", "Draw it.", Holds.NEITHER).message("a .npy file", Wanted.INPUTS)
        'a flower; expected a .npy file. Draw it.'
        """
        return f"{self.found}; expected {expected}. {self._way_out(wanted)}"

    def _way_out(self, wanted: Wanted) -> str:
        # A list may be inside a file of arrays that is read elsewhere; its kind says how to take it out.
        inside = wanted is Wanted.LIST and self.holds in (Holds.WEIGHTS, Holds.BOTH, Holds.ARRAYS)
        if wanted in _WAYS and self.holds is not Holds.NEITHER and not inside:
            return _WAYS[wanted]
        if self.holds in (Holds.VALUES, Holds.TABLE) and wanted is Wanted.WEIGHTS:
            return "It holds values, not a model; check the path."
        if wanted is not Wanted.INPUTS:
            return self.mend
        model = self.holds in (Holds.MODEL, Holds.SETTINGS)
        first = "It is a model: sequences are expected here, weights are passed with weights=FILE. " if model else ""
        return f"{first}{self.mend}{self.mend_of_inputs}"
