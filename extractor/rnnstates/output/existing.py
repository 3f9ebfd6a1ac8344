"""What to do where an output exists already. Pure."""

from ..errors import OptionError

__all__ = ["FAIL", "IF_EXISTS", "REPLACE", "SKIP", "choose_existing"]

FAIL, SKIP, REPLACE = IF_EXISTS = ("fail", "skip", "replace")


def choose_existing(if_exists: str | None, *, force: bool) -> str:
    """Decide between the word and its short form.

    Parameters
    ----------
    if_exists : str or None
        One of ``IF_EXISTS``; None for ``fail``, or for ``replace`` with ``force``.
    force : bool

    Raises
    ------
    OptionError
        It is none of them, or the two contradict each other.

    Examples
    --------
    >>> choose_existing(None, force=False), choose_existing("skip", force=False), choose_existing(None, force=True)
    ('fail', 'skip', 'replace')
    """
    if if_exists is None:
        return REPLACE if force else FAIL
    if if_exists not in IF_EXISTS:
        raise OptionError(f'if_exists="{if_exists}": unknown; expected {", ".join(IF_EXISTS)}.')
    if force and if_exists != REPLACE:
        raise OptionError(f'if_exists="{if_exists}": contradicts force=True, which replaces the output; give one.')
    return if_exists
