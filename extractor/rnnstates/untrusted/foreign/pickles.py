"""Recognises Python pickles of every protocol and the library that wrote them; never loads one."""

import re

__all__ = ["kind_of_pickle"]

# Protocols 0 and 1 have no magic number: an import of a class, or a container with its place in the memo.
_CLASS = rb"c[A-Za-z_][\w.]{0,80}\n[A-Za-z_][\w.]{0,80}\n(?:\(|p\d+\n|q[\0-\x08])"
_CONTAINER = rb"\(?[ld]p\d+\n|\(i[A-Za-z_][\w.]{0,80}\n[A-Za-z_]\w{0,80}\n|[\]}]q\0"
_OLD = re.compile(_CLASS + rb"|" + _CONTAINER)
# The library of its objects, by names in its first bytes; the first match counts.
_OWNERS: tuple[tuple[bytes, str], ...] = (
    (b"StructuredToParameterName@@", "paddle"),
    (b"theano", "theano"),
    (b"lasagne", "theano"),
    (b"joblib", "joblib"),
)


def kind_of_pickle(start: bytes) -> str:
    """Return the kind of pickle; empty if the file is not one."""
    marked = start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    if not marked and not _OLD.match(start):
        return ""
    return next((kind for owner, kind in _OWNERS if owner in start), "pickle")
