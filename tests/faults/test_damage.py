"""What an unfinished run left is damaged, lost or another's when the call is made again."""

import json
import random
import zlib

import pytest

from rnnstates import DoesNotMatch
from rnnstates.output.journal_file import read_journal

from ..builders import one_layer
from . import table
from .faulty import Faulty
from .power import RecordingSystem
from .small import LAYOUTS, WINDOWS, interrupt_at, left

ALL = tuple(range(WINDOWS))


@pytest.fixture(scope="module")
def four(small, tmp_path_factory):
    """Directories in which the first four of six windows are recorded, by layout."""
    made = {layout: tmp_path_factory.mktemp("four") for layout in LAYOUTS}
    for layout, place in made.items():
        small.run(place, layout, progress=interrupt_at(4))
        # The one that was begun meanwhile may be finished too.
        assert {0, 1, 2, 3} <= recorded(place) < set(ALL)
    return made


@pytest.fixture
def places(request):
    """Choose places of a file: all with ``--every-fault``, else some."""

    def choose(size, most, seed):
        every = request.config.getoption("--every-fault")
        return list(range(size)) if every else sorted(random.Random(seed).sample(range(size), min(most, size)))

    return choose


def flip(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    # In place: it may have two names.
    with path.open("r+b") as file:
        file.write(data)


def recorded(place):
    known = read_journal(place / "out.h5.journal")
    return None if known is None else set(known.windows)


def finish(small, place, layout, fault, **options):
    """Finish, and see that exactly what is not recorded is computed."""
    known = recorded(place) or set()
    assert set(small.finish(place, layout, **options)) == set(ALL) - known
    table.count(fault, "M9")


def test_a_journal_cut_at_any_byte_is_good_up_to_its_last_whole_line(small, fresh, four, places):
    whole = (four["holes"] / "out.h5.journal").read_bytes()
    for size in places(len(whole), 25, "cut"):
        place = fresh(four["holes"])
        (place / "out.h5.journal").write_bytes(whole[:size])
        finish(small, place, "holes", "journal damaged")


def test_a_journal_with_any_byte_changed_is_good_up_to_there(small, fresh, four, places):
    size = (four["holes"] / "out.h5.journal").stat().st_size
    for position in places(size, 25, "flip"):
        place = fresh(four["holes"])
        flip(place / "out.h5.journal", position)
        finish(small, place, "holes", "journal damaged")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 100,
        b"\n",
        b"\n\n\n",
        b"garbage",
        b"garbage\n",
        b'00000000 {"window": 5}\n',
        b"\xff" * 3000,
        b"{" * 10_000,
    ],
    ids=repr,
)
def test_garbage_in_a_journal_ends_what_is_trusted(small, fresh, four, garbage):
    whole = (four["packed"] / "out.h5.journal").read_bytes()
    lines = whole.splitlines(keepends=True)
    for at in range(len(lines) + 1):
        place = fresh(four["packed"])
        (place / "out.h5.journal").write_bytes(b"".join(lines[:at]) + garbage[:1000] + b"".join(lines[at:]))
        finish(small, place, "packed", "journal damaged")


def test_lines_of_a_journal_that_do_not_belong_there_are_not_trusted(small, fresh, four):
    whole = (four["packed"] / "out.h5.journal").read_bytes()
    header, *_, last = whole.splitlines(keepends=True)
    for wrong in (header, b"", last[:9] + b"[]\n", line({"window": 1}), line({"undone": []}), line({"undone": 5}),
                  line({"complete": True}), line([]), line({"session": 3})):  # fmt: skip
        place = fresh(four["packed"])
        (place / "out.h5.journal").write_bytes(whole + wrong + last)
        finish(small, place, "packed", "journal damaged")


def line(record):
    text = json.dumps(record).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def test_without_its_journal_a_run_starts_over_with_a_word(small, fresh, four, caplog):
    place = fresh(four["holes"])
    (place / "out.h5.journal").unlink()
    finish(small, place, "holes", "journal lost")
    assert "its journal is missing or damaged, so nothing in it is known to be finished" in caplog.text


def test_a_journal_without_its_file_is_thrown_away(small, fresh, four):
    place = fresh(four["holes"])
    (place / "out.h5.partial").unlink()
    assert small.finish(place, "holes") == ALL
    table.count("journal lost", "M9")


def test_another_jobs_journal_is_refused_and_nothing_touched(small, fresh, four):
    place = fresh(four["holes"])
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    outcome = small.run(place, "holes", weights=one_layer(units=2, seed=1))
    assert isinstance(outcome.error, DoesNotMatch)
    assert "was begun by a different job: weights.fingerprint was" in str(outcome.error)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    finish(small, place, "holes", "journal foreign")


def test_a_journal_of_another_version_is_refused_and_nothing_touched(small, fresh, four):
    place = fresh(four["holes"])
    journal = place / "out.h5.journal"
    header, *rest = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(line(json.loads(header[9:]) | {"journal": 2}) + b"".join(rest))
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    outcome = small.run(place, "holes")
    assert isinstance(outcome.error, DoesNotMatch)
    assert "is a journal of version 2; expected 1. Resume with the rnnstates that began it" in str(outcome.error)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    outcome = small.run(place, "holes", restart=True)
    assert outcome.error is None
    assert outcome.computed == ALL
    assert left(place) == ["out.h5"]
    table.count("journal foreign", "M9")


def regions(place, number):
    """Yield (what, position) of a byte of each kind that belongs to a window."""
    header = read_journal(place / "out.h5.journal").header
    for name, offset, size in zip(header.offsets, header.offsets.values(), header.sizes, strict=True):
        per_window = size // header.windows
        yield f"{name}, first", offset + per_window * number
        yield f"{name}, last", offset + per_window * (number + 1) - 1
    yield "sums", header.sums_at + number * 16 * len(header.offsets) + number


@pytest.mark.parametrize("layout", ["holes", "padded"])
def test_a_byte_changed_in_a_window_has_that_window_computed_again(small, fresh, four, layout, caplog):
    done = sorted(recorded(four[layout]))
    for number in done:
        for what, position in regions(four[layout], number):
            place = fresh(four[layout])
            flip(place / "out.h5.partial", position)
            caplog.clear()
            outcome = small.run(place, layout, verify=True)
            assert outcome.error is None
            assert set(outcome.computed) == set(ALL) - set(done) | {number}, what
            assert f"sequences {2 * number} to {2 * number + 1} are not as they were written" in caplog.text
            assert (place / "out.h5").read_bytes() == small.whole(layout, place.parent)
            assert left(place) == ["out.h5"]
            table.count("flipped byte", "M9")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_byte_changed_in_what_is_not_finished_does_not_matter(small, fresh, four, layout):
    for number in sorted(set(ALL) - recorded(four[layout])):
        for _, position in regions(four[layout], number) if layout != "packed" else ():
            place = fresh(four[layout])
            flip(place / "out.h5.partial", position)
            small.finish(place, layout, verify=True)
            table.count("flipped byte", "M9")


def test_a_byte_changed_anywhere_else_has_everything_computed_again(small, fresh, four, places, caplog):
    header = read_journal(four["holes"] / "out.h5.journal").header
    inside = {byte for start, length in header.apart for byte in range(start, start + length)}
    rest = [byte for byte in range(header.size) if byte not in inside]
    digest = list(range(header.rest_at, header.rest_at + 32))
    for position in [rest[at] for at in places(len(rest), 25, "rest")] + digest[::8]:
        place = fresh(four["holes"])
        flip(place / "out.h5.partial", position)
        assert small.run(place, "holes").computed == ALL
        assert "is damaged; the run starts over" in caplog.text
        assert (place / "out.h5").read_bytes() == small.whole("holes", place.parent)
        table.count("flipped byte", "M9")


@pytest.mark.parametrize("change", [-1, 1, -5000, 5000])
def test_a_file_of_another_size_starts_over(small, fresh, four, change):
    place = fresh(four["holes"])
    data = (place / "out.h5.partial").read_bytes()
    (place / "out.h5.partial").write_bytes(data[:change] if change < 0 else data + bytes(change))
    assert small.run(place, "holes").computed == ALL
    assert (place / "out.h5").read_bytes() == small.whole("holes", place.parent)
    table.count("flipped byte", "M9")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("older", ["out.h5.partial", "out.h5.journal"])
def test_a_journal_and_a_file_of_different_times_go_on_from_the_older(small, fresh, four, begun, layout, older, caplog):
    """One of the two was restored from a backup that was made earlier."""
    place, first, then = fresh(four[layout]), recorded(begun[layout]), recorded(four[layout])
    (place / older).write_bytes((begun[layout] / older).read_bytes())
    outcome = small.run(place, layout)
    assert set(outcome.computed) == set(ALL) - first
    assert f"does not know {len(then - first)} of the {len(then)} windows" in caplog.text or older.endswith("journal")
    assert (place / "out.h5").read_bytes() == small.whole(layout, place.parent)
    assert left(place) == ["out.h5"]
    table.count("journal foreign", "M9")


def damaged_padding(fresh, four):
    """Padding that is not zero, in a hole of a finished window."""
    place = fresh(four["holes"])
    header = read_journal(place / "out.h5.journal").header
    # The last step of the last sequence of window 3 has length 0 or less than all.
    flip(place / "out.h5.partial", header.offsets["hidden"] + header.sizes[0] // WINDOWS * 4 - 1)
    return place


def finish_verified(small, place):
    """Verify again only if the damage was not yet taken note of."""
    known = read_journal(place / "out.h5.journal")
    reported = known is not None and 3 in known.undone | (set(ALL) - known.windows.keys())
    small.check_left(place, "holes")
    outcome = small.run(place, "holes", verify=not reported)
    assert outcome.error is None or left(place) == ["out.h5"]
    assert (place / "out.h5").read_bytes() == small.whole("holes", place.parent)
    assert left(place) == ["out.h5"]


@pytest.mark.parametrize("fault", ["EIO", "signal before"])
def test_a_run_ended_while_it_verifies_leaves_no_damage_behind(small, fresh, four, some, fault):
    assert 3 in recorded(four["holes"])
    log = Faulty(fault)
    assert small.run(damaged_padding(fresh, four), "holes", log, verify=True).error is None
    for at in some(log.log, 30, fault):
        place = damaged_padding(fresh, four)
        small.run(place, "holes", Faulty(fault, at), verify=True)
        finish_verified(small, place)
        table.count(fault, "M9")


def test_a_power_loss_while_it_verifies_leaves_no_damage_behind(small, fresh, four, some):
    place = damaged_padding(fresh, four)
    system = RecordingSystem(place)
    small.run(place, "holes", system, verify=True)
    for at in some([moment for moment, *_ in system.trace.events], 12, "verify"):
        for seed in range(2):
            place = fresh()
            system.trace.after_loss(at, seed, place)
            finish_verified(small, place)
            table.count("power loss", "M9")


def test_without_holes_in_files_damaged_padding_is_written_over(small, fresh, four):
    class Plain(Faulty):
        def clear(self, fd, position, count):
            return False

    place = damaged_padding(fresh, four)
    outcome = small.run(place, "holes", Plain(), verify=True)
    assert outcome.error is None
    assert (place / "out.h5").read_bytes() == small.whole("holes", place.parent)
