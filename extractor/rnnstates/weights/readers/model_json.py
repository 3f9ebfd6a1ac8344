"""Reads a model's configuration from its own file, as Keras' ``model.to_json()`` writes it."""

import hashlib
import os
import stat
from typing import Any

from ...errors import BadWeights
from ...untrusted.foreign import Wanted, refuse_foreign
from ...untrusted.json_text import LARGEST_JSON, parse_json
from ...untrusted.missing import missing_reported

__all__ = ["read_model_json"]

EXPECTED = "a JSON file as model.to_json() of Keras gives it"


def read_model_json(path: str) -> tuple[dict[str, Any], str]:
    """Read a model's configuration; nothing that it names is imported or opened.

    Returns
    -------
    dict
    str
        The SHA-256 of the bytes that were parsed.

    Raises
    ------
    MissingInput
        It is absent or unreadable.
    BadWeights
        It is a link, not an ordinary file, of another kind, too large, or not JSON.
    """
    with missing_reported(path, EXPECTED):
        if os.path.islink(path):  # noqa: PTH114 - a Path would drop what makes some names unusable
            raise BadWeights(f"{path}: is a link, which is not followed; name the file itself.")
        refuse_foreign(path, EXPECTED, Wanted.SETTINGS, BadWeights)
        # A pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
            kind = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(kind):
                if stat.S_ISDIR(kind):
                    raise IsADirectoryError
                raise BadWeights(f"{path}: is not an ordinary file; expected {EXPECTED}.")
            text = file.read(LARGEST_JSON + 1)
    return parse_json(text, path), hashlib.sha256(text).hexdigest()
