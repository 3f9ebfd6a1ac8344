"""What becomes of one input: read, or refused with an error that a user may see."""

import contextlib

import h5py

from rnnstates import RnnstatesError

__all__ = ["LONGEST_MESSAGE", "Outcome", "documented"]

LONGEST_MESSAGE = 20_000


class Outcome:
    """What became of the last input: ``refused`` is its message, empty where it was read."""

    refused = ""


def _open_files():
    return h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)


@contextlib.contextmanager
def documented(only=RnnstatesError):
    """Swallow the errors that a user may see; ``only`` those of some classes."""
    Outcome.refused = ""
    # Other tests may have left some open, until their garbage is collected.
    before = _open_files()
    try:
        yield
    except only as error:
        Outcome.refused = str(error)
        Outcome.refused.encode()
        assert len(Outcome.refused) < LONGEST_MESSAGE, f"a message of {len(Outcome.refused)} letters"
    assert _open_files() <= before, "a file stays open"
