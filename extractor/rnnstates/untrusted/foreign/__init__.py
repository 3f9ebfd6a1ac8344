"""Recognises files that cannot be used where they were given, and says what each is and what to do instead.

One table serves every place where a file can be given (inputs, weights, lengths, ids, initial states, models,
configurations, outputs). ``models`` and ``values`` say what each kind is and what to do; the other modules decide by
content: first bytes, the names in an archive or folder, the keys of a JSON text. Nothing is unpacked, loaded or
executed.
"""

from .archives import may_be_npz
from .finding import FIRST_BYTES, KINDS, describe, kind_of_bytes, kind_of_path, refuse_foreign, unknown
from .kind import Holds, Kind, Wanted
from .texts import UTF8_MARK, is_text

__all__ = [
    "FIRST_BYTES",
    "KINDS",
    "UTF8_MARK",
    "Holds",
    "Kind",
    "Wanted",
    "describe",
    "is_text",
    "kind_of_bytes",
    "kind_of_path",
    "may_be_npz",
    "refuse_foreign",
    "unknown",
]
