"""The sizes and codecs in the metadata of an array, checked."""

import math
from dataclasses import dataclass

from .codecs import KNOWN, Codec

__all__ = ["Sharding", "UnreadableError", "chain_of", "codecs_of_v2", "named", "sharding_of", "sizes"]


class UnreadableError(Exception):
    """Why metadata cannot be understood."""


@dataclass(frozen=True)
class Sharding:
    """How chunks lie in shards.

    Parameters
    ----------
    shape : tuple of int
        Of a shard; a multiple of the chunks.
    codecs : tuple of Codec
        Applied to whole shards.
    at_end : bool
        Where the index is.
    has_checksum : bool
        Whether the index ends in one.
    """

    shape: tuple[int, ...]
    codecs: tuple[Codec, ...]
    at_end: bool
    has_checksum: bool


# The order of axes, the step from an array to bytes, and the steps from bytes to bytes.
Chain = tuple[tuple[int, ...], Codec, tuple[Codec, ...]]


def chain_of(given: object, rank: int) -> Chain:
    """Return the steps from an array of so many axes to bytes."""
    steps = [named(one, "codecs") for one in given] if isinstance(given, list) else []
    order = tuple(range(rank))
    while steps and steps[0].name == "transpose":
        turned = steps.pop(0).configuration.get("order")
        if not isinstance(turned, list) or sorted(map(repr, turned)) != sorted(map(repr, range(rank))):
            raise UnreadableError(f"its codec transpose has order {turned!r:.40}")
        order = tuple(order[axis] for axis in turned)
    if not steps or steps[0].name not in ("bytes", "sharding_indexed", "vlen-utf8"):
        raise UnreadableError(
            f"its codecs are {[one.name[:40] for one in steps][:5]}; 'bytes' is expected to be the first"
        )
    return order, steps[0], _checked_codecs(steps[1:])


def sharding_of(
    codec: Codec, shape: tuple[int, ...], outer: tuple[Codec, ...]
) -> tuple[Sharding, tuple[int, ...], Chain]:
    """Return how chunks lie in shards of a shape, their own shape, and the steps to their bytes."""
    chunks = sizes(codec.configuration.get("chunk_shape"), "chunk_shape", least=1)
    if len(chunks) != len(shape) or any(whole % part for whole, part in zip(shape, chunks, strict=True)):
        raise UnreadableError(f"its shards of shape {shape} hold no whole chunks of shape {chunks}")
    chain = chain_of(codec.configuration.get("codecs"), len(shape))
    _, index, checks = chain_of(codec.configuration.get("index_codecs"), 1)
    usual = index.name == "bytes" and index.configuration.get("endian", "little") == "little"
    if chain[1].name == "sharding_indexed" or not usual or [one.name for one in checks] not in ([], ["crc32c"]):
        raise UnreadableError("it has shards in shards, or an unusual index of its shards")
    if outer:
        raise UnreadableError("it has compressed shards, which are not read")
    location = codec.configuration.get("index_location", "end")
    return Sharding(shape, outer, location != "start", bool(checks)), chunks, chain


def sizes(given: object, what: str, least: int = 0) -> tuple[int, ...]:
    """Return whole numbers, such as a shape."""
    whole = isinstance(given, list) and all(type(one) is int and least <= one < 2**56 for one in given)
    if isinstance(given, list) and whole and math.prod(given) < 2**56:
        return tuple(given)
    raise UnreadableError(f"its {what} is {str(given)[:60]}; expected whole numbers")


def named(given: object, what: str) -> Codec:
    """Return a name and its configuration; a name alone has none."""
    if isinstance(given, str):
        given = {"name": given}
    configuration = given.get("configuration", {}) if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(given.get("name"), str) or not isinstance(configuration, dict):
        raise UnreadableError(f"its {what} is damaged")
    return Codec(given["name"].removeprefix("numcodecs."), configuration)


def codecs_of_v2(given: object) -> tuple[Codec, ...]:
    """Return the codecs of format 2, whose configurations contain their names."""
    if not isinstance(given, list) or not all(
        isinstance(one, dict) and isinstance(one.get("id"), str) for one in given
    ):
        raise UnreadableError("its filters or its compressor are damaged")
    found = [Codec(one["id"], one) for one in given]
    return (*(one for one in found if one.name == "vlen-utf8"), *_checked_codecs(found))


def _checked_codecs(codecs: list[Codec]) -> tuple[Codec, ...]:
    kept = tuple(one for one in codecs if one.name != "vlen-utf8")
    unknown = [one.name[:40] for one in kept if one.name not in KNOWN]
    if unknown:
        raise UnreadableError(f"it needs the codec {unknown[0]!r}, which is not read; known: {', '.join(KNOWN)}")
    return kept
