"""Chooses the dataset of an HDF5 file that holds the sequences."""

import difflib
from collections.abc import Callable, Mapping

import h5py

from ..errors import BadInput
from ..untrusted.hdf5 import datasets, find
from .container import Container, Described
from .form import Form
from .layout import IdsWithoutTable, is_numeric

__all__ = [
    "DEFAULT",
    "NO_DTYPE",
    "OTHER",
    "UNKNOWN",
    "VARYING",
    "choose",
    "choose_among",
    "describe_dtype",
    "guess",
    "listing",
]

DEFAULT = "inputs"
# Used for something else, so never sequences unless named.
OTHER = ("lengths", "ids", "offsets")
MOST_LISTED = 5
# Finding a similar name takes time for each name and character.
MOST_GUESSED, LONGEST_GUESSED = 1000, 200

# Results of ``describe_dtype`` where NumPy has no dtype for single values.
STRING, REFERENCE, VARYING, UNKNOWN = "string", "reference", "arrays of varying length", "unknown to NumPy"
NO_DTYPE = (STRING, REFERENCE, VARYING, UNKNOWN)


def choose(file: h5py.File, path: str, name: str | None, form: Form, container_of: Callable[[str], Container]) -> str:
    """Return the path of the dataset to read.

    Parameters
    ----------
    name : str or None
        The parameter ``dataset=``. None: ``inputs``, else the only one that fits.
    form : Form
        With ``tokens``, integers [N, T] fit too; if no other does, numbers [sum of lengths, I] beside these lengths.
    container_of : callable
        From a name to the ``Container`` around that dataset.

    Raises
    ------
    BadInput
        It is absent or a group, or none or several fit.
    """
    wanted = name or DEFAULT
    found = find(file, wanted, path, BadInput)
    if isinstance(found, h5py.Dataset):
        return wanted.strip("/")
    present = dict(datasets(file, path, BadInput))
    if name is not None and found is not None:
        raise BadInput(
            f"{path}: '{name.strip('/')}' is a group; present: {listing(present)}.{guess(name, present)} "
            "Name one with dataset=."
        )
    return choose_among(present, path, name, form, container_of)


def choose_among(
    present: Mapping[str, Described], path: str, name: str | None, form: Form,
    container_of: Callable[[str], Container],
) -> str:  # fmt: skip
    """Return the name of the array to read, of a file of several; otherwise like ``choose``."""
    wanted = (name or DEFAULT).strip("/")
    if wanted in present:
        return wanted
    if name is not None:
        raise BadInput(
            f"{path}: no dataset '{name}'; present: {listing(present)}.{guess(name, present)} Name one with dataset=."
        )
    fitting = {key: dataset for key, dataset in present.items() if _fits(key, dataset, tokens=form.tokens)}
    if not fitting:
        fitting = {
            key: dataset
            for key, dataset in present.items()
            if _fits(key, dataset, tokens=False, axes=2) and form.follows(container_of(key), dataset.shape[0])
        }
    if len(fitting) == 1:
        return next(iter(fitting))
    wanted_shape = "a numeric one of shape (N, T, I)" + (" or integers (N, T)" if form.tokens else "")
    if fitting:
        raise BadInput(
            f"{path}: no dataset 'inputs', and {len(fitting)} that fit: {listing(fitting)}. Name one with dataset=."
        )
    found = f"{path}: no dataset 'inputs' and none that fits; expected {wanted_shape}, present: {listing(present)}."
    hint = "" if form.tokens else _token_hint(present)
    problem = f"{found}{guess(DEFAULT, present)} Name one with dataset={hint}."
    raise IdsWithoutTable(problem, found) if hint else BadInput(problem)


def listing(present: Mapping[str, Described]) -> str:
    """List datasets with shape and dtype, at most five."""
    shown = [
        f"'{name}' {dataset.shape} {describe_dtype(dataset)}" for name, dataset in list(present.items())[:MOST_LISTED]
    ]
    more = len(present) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "") if shown else "none"


def guess(name: str, present: Mapping[str, Described]) -> str:
    """Suggest a similar name, if there is one."""
    near = difflib.get_close_matches(name.strip("/")[:LONGEST_GUESSED], list(present)[:MOST_GUESSED], n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def describe_dtype(dataset: Described) -> str:
    """Name a dataset's dtype, even if NumPy has none."""
    try:
        dtype = dataset.dtype
    except TypeError:
        return UNKNOWN
    if h5py.check_string_dtype(dtype):
        return STRING
    if h5py.check_ref_dtype(dtype):
        return REFERENCE
    if h5py.check_vlen_dtype(dtype):
        return VARYING
    return str(dtype)


def _fits(key: str, dataset: Described, *, tokens: bool, axes: int = 3) -> bool:
    try:
        shape, dtype = dataset.shape or (), dataset.dtype
    except TypeError:
        return False
    if key.rpartition("/")[2] in OTHER:
        return False
    return (len(shape) == axes and is_numeric(dtype)) or (tokens and len(shape) == 2 and dtype.kind in "iu")


def _token_hint(present: Mapping[str, Described]) -> str:
    if any(_fits(key, dataset, tokens=True) for key, dataset in present.items()):
        return "; integers of shape (N, T) are token ids and need weights with an embedding (weights=)"
    if any(
        len(dataset.shape or ()) == 2 and describe_dtype(dataset).startswith("float") for dataset in present.values()
    ):
        return "; the message for one with two axes says how to make it (N, T, I)"
    return ""
