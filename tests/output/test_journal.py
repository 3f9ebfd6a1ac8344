"""The journal's lines: written, read again, and read no further than they are whole."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnstates.output.journal import Header, Window, encode, parse

HEADER = Header(
    identity={"input": {"size": 5}}, offsets={"hidden": 800, "cell": 900}, sizes=[100, 100], sums_at=1000, rest_at=2000,
    size=3000, rest="00", windows=4, window_rows=8, steps=40, command="rnnstates extract",
)  # fmt: skip


def window(number, **changes):
    known = {"steps": 10, "overflowed": 0, "elapsed": 1.5, "sums": ((1, 2), (3, 2**64 - 1)), "read": None}
    return Window(number, **known | changes)


def text(*records):
    return b"".join(map(encode, records))


WHOLE = text(HEADER, "a session", *map(window, range(4)), None)


def line(record):
    body = json.dumps(record).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def test_what_is_written_is_read():
    found = parse(WHOLE)
    assert found.header == HEADER
    assert found.windows == {number: window(number) for number in range(4)}
    assert (found.sessions, found.complete, found.torn, found.valid) == (["a session"], True, False, len(WHOLE))
    assert len(found.last) == 4


def test_a_journal_cut_anywhere_is_read_up_to_its_last_whole_line():
    ends = [at + 1 for at, byte in enumerate(WHOLE) if byte == ord("\n")]
    for size in range(len(WHOLE)):
        found = parse(WHOLE[:size])
        whole = [end for end in ends if end <= size]
        if not whole:
            assert found is None
            continue
        assert found.valid == whole[-1]
        assert found.torn == (size > whole[-1])
        assert len(found.windows) == min(4, max(0, len(whole) - 2))
        assert not found.complete


def test_nothing_is_trusted_from_a_changed_byte_on():
    """A bit is flipped in every byte: the lines before it are read, no other."""
    for at in range(len(WHOLE)):
        changed = bytearray(WHOLE)
        changed[at] ^= 4
        found = parse(bytes(changed))
        lines_before = WHOLE[:at].count(b"\n")
        if found is None:
            assert lines_before == 0
        else:
            assert found.valid <= len(WHOLE[:at].rpartition(b"\n")[0]) + 1
            assert found.windows == {number: window(number) for number in range(max(0, lines_before - 2))}


def test_a_window_that_was_undone_is_not_finished_and_may_be_finished_again():
    undone = text(HEADER, window(1), window(2), 1)
    assert set(parse(undone).windows) == {2}
    assert set(parse(undone + text(window(1))).windows) == {1, 2}
    assert parse(WHOLE + text(3)).complete is False


def test_a_session_may_follow_the_end_of_all():
    found = parse(WHOLE + text("another", None))
    assert (found.complete, found.torn, found.last) == (True, False, [])


WRONG = {
    "a window beyond the last": window(4)._asdict(),
    "a negative window": window(-1)._asdict(),
    "a window that is no number": window(True)._asdict(),
    "too few sums": window(1, sums=((1, 2),))._asdict(),
    "sums too large": window(1, sums=((1, 2), (3, 2**64)))._asdict(),
    "sums of three": window(1, sums=((1, 2), (3, 4, 5)))._asdict(),
    "a time that is none": window(1, elapsed=float("nan"))._asdict(),
    "a time without end": window(1, elapsed=float("inf"))._asdict(),
    "a missing field": {name: value for name, value in window(1)._asdict().items() if name != "steps"},
    "one field more": window(1)._asdict() | {"more": 1},
    "no object": [1, 2],
    "the end before the end": {"complete": True},
    "undone that was not done": {"undone": 3},
    "undone that is no number": {"undone": [1]},
    "a session that is no text": {"session": 1},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_whole_line_that_says_what_no_run_says_ends_the_journal(name):
    found = parse(text(HEADER, window(0)) + line(WRONG[name]) + text(window(2)))
    assert set(found.windows) == {0}
    assert found.torn


@pytest.mark.parametrize(
    "changes",
    [
        {"journal": 2}, {"windows": -1}, {"windows": "4"}, {"window_rows": 0}, {"offsets": [1]}, {"sizes": [1]},
        {"identity": None}, {"rest": 1}, {"size": 2**64}, {"more": 1}, {"offsets": {"hidden": None, "cell": 1}},
    ],
    ids=str,
)  # fmt: skip
def test_a_header_of_another_kind_is_none(changes):
    assert parse(line({"journal": 1, **HEADER._asdict()})) is not None
    assert parse(line({"journal": 1, **HEADER._asdict(), **changes})) is None


def test_deep_and_long_lines_are_no_records():
    assert parse(text(HEADER) + line_of(b"[" * 500_000) + text(window(0))).windows == {}
    assert parse(text(HEADER) + line_of(b"1" * 10_000)).windows == {}
    assert parse(b"x" * 3_000_000) is None


def line_of(body):
    return b"%08x %s\n" % (zlib.crc32(body), body)


@given(st.binary(max_size=300))
def test_anything_can_be_read(data):
    assert parse(data) is None
    assert parse(text(HEADER) + data).header == HEADER


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner)
                    | st.dictionaries(st.sampled_from([*Window._fields, "session", "undone", "complete", "x"]), inner),
                    max_leaves=12))  # fmt: skip
def test_any_record_can_follow_a_header(record):
    assert parse(text(HEADER) + line(record)).header == HEADER
