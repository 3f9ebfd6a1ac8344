"""Compares values, not bytes, with the checksums of a file that was compressed, or that another program rewrote.

HDF5 reads the same values from either; where they lie in the file, and what lies between them, is not compared.
"""

import h5py

from ..output.format import FORMAT_VERSION
from ..output.repacking import Finished, read_finished
from ..output.states import States
from .digests import ELSEWHERE, Damage, described, note_damage
from .promised import Promise

__all__ = ["check_values_by_sums"]


def check_values_by_sums(where: str, file: h5py.File, states: States, promise: Promise) -> tuple[list[str], bool]:
    """Compare the values of a file with its checksums.

    Returns
    -------
    (list of str, bool)
        What has changed; and whether more than the states could be compared: files of early versions have no digest of
        the rest by value.

    Raises
    ------
    BadStates
        The file cannot be read, or its checksums are damaged.
    """
    old = read_finished(file, states, where, promise.specs)
    wrong = described(_damage(old))
    if old.content is None and states.attributes["format_version"] == FORMAT_VERSION:
        return wrong, False
    if not old.has_rest():
        wrong.append(ELSEWHERE)
    return wrong, True


def _damage(old: Finished) -> Damage:
    damage: Damage = {}
    for number, spec in enumerate(old.specs):
        for sequences in old.damaged(number):
            note_damage(damage.setdefault(spec.name, []), sequences)
    return damage
