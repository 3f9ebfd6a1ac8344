"""The file sink: what is under the final name, when, and what it holds."""

import errno
import os

import h5py
import numpy as np
import pytest

from rnnstates.errors import CannotCreate, DoesNotMatch, OutputBusy, WriteFailed
from rnnstates.output.format import Shape, plan_datasets
from rnnstates.output.layout import Contents
from rnnstates.output.names import names_of
from rnnstates.output.partial import Wanted
from rnnstates.output.system import Disk, Place
from rnnstates.output.writer import FileSink

from ..builders import bidirectional_stack, one_layer

LENGTHS = np.array([4, 0, 2], np.int64)


def contents(layout="padded", network=None, states=("hidden", "cell"), pool=("mean",), dtype="float32"):
    network = network or one_layer(units=5)
    shape = Shape(LENGTHS, 4, layout)
    specs = plan_datasets(
        network, shape, states=states, pool=pool, dtype=np.dtype(dtype), precision=np.dtype("float64")
    )
    return Contents(specs, shape, network, None, "{}", 1)


def sink_of(path, made, system=None, **options):
    return FileSink(Place(names_of(path), system or Disk()), Wanted(made, {"job": 1}), **options)


def partial_path(path):
    return names_of(path).partial


def fill(sink, made, rows=(0, 1, 2)):
    first_rows = made.shape.first_rows
    for row in rows:
        for spec in made.specs:
            if spec.pooling is None:
                values = np.full((LENGTHS[row], spec.width), row + 1, spec.dtype)
                sink.put(spec, int(first_rows[row]), values, row)
            else:
                sink.put(spec, row, np.full((1, spec.width), 10 + row, spec.dtype), row)
        sink.finish(row, 0)


class Failing(Disk):
    """A disk on which one kind of call fails on demand."""

    failing = ()

    def __init__(self, number=errno.ENOSPC):
        self.number = number

    def pwrite(self, fd, data, position):
        self._fail("pwrite")
        return super().pwrite(fd, data, position)

    def fsync(self, fd):
        self._fail("fsync")
        super().fsync(fd)

    def link(self, source, target):
        self._fail("link")
        super().link(source, target)

    def _fail(self, name):
        if name in self.failing:
            raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("network", [one_layer(units=5), bidirectional_stack()], ids=["plain", "stack"])
@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_what_is_put_is_what_h5py_reads(tmp_path, layout, network):
    made = contents(layout, network)
    with sink_of(tmp_path / "out.h5", made) as sink:
        fill(sink, made)
        sink.commit()
    with h5py.File(tmp_path / "out.h5") as file:
        for spec in made.specs:
            expected = np.zeros(spec.shape, spec.dtype)
            rows = expected.reshape(-1, spec.width)
            for row, length in enumerate(LENGTHS):
                if spec.pooling is None:
                    start = made.shape.first_rows[row]
                    rows[start : start + length] = row + 1
                else:
                    rows[row] = 10 + row
            np.testing.assert_array_equal(file[spec.name][()], expected)
        assert [name if isinstance(name, str) else name.decode() for name in file.attrs["layers"]] == [
            part or "/" for part, *_ in network.parts()
        ]


def test_the_final_name_appears_only_at_the_commit(tmp_path):
    path, made = tmp_path / "out.h5", contents()
    with sink_of(path, made) as sink:
        fill(sink, made)
        assert not path.exists()
        assert partial_path(path).exists()
        sink.commit()
    assert os.listdir(tmp_path) == ["out.h5"]


def test_an_error_on_the_way_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyError), sink_of(tmp_path / "out.h5", contents()):
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_the_unfinished_file_opens_at_any_moment_and_reads_as_zero(tmp_path):
    path, made = tmp_path / "out.h5", contents()
    with sink_of(path, made), h5py.File(partial_path(path), locking=False) as file:
        assert file["hidden"].shape == (3, 4, 5)
        assert not file["hidden"][()].any()


def test_padding_takes_no_disk(tmp_path):
    network = one_layer(units=64)
    shape = Shape(np.array([1, 1], np.int64), 100_000)
    specs = plan_datasets(
        network, shape, states=("hidden",), pool=(), dtype=np.dtype("float32"), precision=np.dtype("float32")
    )
    with sink_of(tmp_path / "out.h5", Contents(specs, shape, network, None, "{}", 2)) as sink:
        for row in range(2):
            sink.put(specs[0], int(shape.first_rows[row]), np.ones((1, 64), np.float32), 0)
        sink.finish(0, 0)
        sink.commit()
    found = os.stat(tmp_path / "out.h5")
    assert found.st_size > 50_000_000
    assert found.st_blocks * 512 < 200_000


def test_a_file_that_appears_meanwhile_is_left_alone_and_the_states_are_kept(tmp_path):
    path, made = tmp_path / "out.h5", contents()
    with pytest.raises(CannotCreate, match=r"appeared while this run was computing.*out\.h5\.partial"):
        with sink_of(path, made) as sink:
            fill(sink, made)
            path.write_text("somebody else's")
            sink.commit()
    assert path.read_text() == "somebody else's"
    with h5py.File(partial_path(path)) as file:
        assert file["hidden"][0, 0, 0] == 1


def test_force_replaces_at_the_end_and_not_before(tmp_path):
    path, made = tmp_path / "out.h5", contents()
    path.write_text("old")
    with sink_of(path, made, force=True) as sink:
        fill(sink, made)
        assert path.read_text() == "old"
        sink.commit()
    assert h5py.is_hdf5(path)


def test_without_hard_links_the_commit_renames_and_still_does_not_clobber(tmp_path):
    system, made = Failing(errno.EOPNOTSUPP), contents()
    system.failing = ("link",)
    with sink_of(tmp_path / "a.h5", made, system) as sink:
        fill(sink, made)
        sink.commit()
    assert os.listdir(tmp_path) == ["a.h5"]
    with pytest.raises(CannotCreate, match="appeared"), sink_of(tmp_path / "b.h5", made, system) as sink:
        fill(sink, made)
        (tmp_path / "b.h5").write_text("theirs")
        sink.commit()
    assert (tmp_path / "b.h5").read_text() == "theirs"


def test_two_runs_on_one_output_do_not_meet(tmp_path):
    path = tmp_path / "out.h5"
    with sink_of(path, contents()) as sink:
        with pytest.raises(OutputBusy, match=rf"out\.h5\.lock: locked by \S+:{os.getpid()} since 20\d\d-.*Z; wait"):
            sink_of(path, contents())
        fill(sink, contents())
        sink.commit()
    assert os.listdir(tmp_path) == ["out.h5"]


def test_what_is_no_file_of_ours_is_left_where_it_is(tmp_path):
    path, made = tmp_path / "out.h5", contents()
    partial_path(path).write_bytes(b"precious" * 10_000)
    with pytest.raises(CannotCreate, match=r"out\.h5\.partial: is not an unfinished output of rnnstates"):
        sink_of(path, made)
    with pytest.raises(CannotCreate, match="so no run left it"):
        FileSink(Place(names_of(path)), Wanted(made, {"job": 1}, restart=True))
    assert os.listdir(tmp_path) == ["out.h5.partial"]


def test_a_symbolic_link_under_the_partial_name_is_not_followed(tmp_path):
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "out.h5.partial").symlink_to(target)
    with pytest.raises(CannotCreate, match="in the way"):
        sink_of(tmp_path / "out.h5", contents())
    assert target.read_text() == "precious"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_a_full_or_failing_disk_is_reported_and_nothing_left_of_what_was_not_finished(tmp_path, number):
    system, made = Failing(number), contents()
    expected = r"out\.h5\.partial: (the disk is full|the disk quota|the file is larger|writing failed)"
    with pytest.raises(WriteFailed, match=expected):
        with sink_of(tmp_path / "out.h5", made, system) as sink:
            system.failing = ("pwrite",)
            fill(sink, made)
    assert os.listdir(tmp_path) == []


def test_short_writes_and_interrupted_ones_are_continued(tmp_path):
    class Short(Disk):
        calls = 0

        def pwrite(self, fd, data, position):
            self.calls += 1
            if self.calls % 3 == 0:
                raise InterruptedError
            return super().pwrite(fd, data[:7], position)

    made = contents()
    with sink_of(tmp_path / "out.h5", made, Short()) as sink:
        fill(sink, made)
        sink.commit()
    with h5py.File(tmp_path / "out.h5") as file:
        assert (file["hidden"][0] == 1).all()


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(CannotCreate, match="cannot be made there"):
        sink_of(tmp_path / "no" / "out.h5", contents())


def test_a_file_that_cannot_be_made_durable_gets_no_name(tmp_path):
    system, made = Failing(errno.EIO), contents()
    with pytest.raises(WriteFailed, match="writing failed"), sink_of(tmp_path / "o.h5", made, system) as sink:
        fill(sink, made)
        system.failing = ("fsync",)
        sink.commit()
    assert not (tmp_path / "o.h5").exists()


def test_what_is_finished_is_kept_and_not_put_again(tmp_path):
    path, made = tmp_path / "out.h5", contents()
    with pytest.raises(KeyError), sink_of(path, made) as sink:
        fill(sink, made, rows=[0, 2])
        raise KeyError
    assert sorted(os.listdir(tmp_path)) == ["out.h5.journal", "out.h5.partial"]
    with sink_of(path, made) as sink:
        assert sorted(sink.windows) == [0, 2]
        fill(sink, made, rows=[1])
        sink.commit()
    assert os.listdir(tmp_path) == ["out.h5"]
    with h5py.File(path) as file:
        assert file["hidden"][:, 0, 0].tolist() == [1, 0, 3]


def test_what_another_job_left_is_refused_with_what_differs(tmp_path):
    path, made = tmp_path / "out.h5", contents()
    with pytest.raises(KeyError), sink_of(path, made) as sink:
        fill(sink, made, rows=[0])
        raise KeyError
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(DoesNotMatch, match=r"out\.h5\.partial: was begun by a different job: job was 1, is 2"):
        FileSink(Place(names_of(path)), Wanted(made, {"job": 2}))
    assert sorted(os.listdir(tmp_path)) == before
    with FileSink(Place(names_of(path)), Wanted(made, {"job": 2}, restart=True)) as sink:
        assert sink.windows == {}
        fill(sink, made)
        sink.commit()
    assert os.listdir(tmp_path) == ["out.h5"]


def test_disk_is_reserved_for_what_has_no_holes_and_a_lack_of_it_is_reported_with_what_is_needed(tmp_path):
    """Before a state is computed; what is padded stays a hole."""

    class Counting(Disk):
        reserved = 0

        def allocate(self, fd, position, count):
            self.reserved += count
            super().allocate(fd, position, count)

    class Full(Disk):
        def allocate(self, fd, position, count):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for layout, every in (("packed", True), ("padded", False)):
        made, system = contents(layout), Counting()
        with sink_of(tmp_path / "o.h5", made, system):
            pass
        assert system.reserved == sum(spec.nbytes for spec in made.specs if every or spec.pooling is not None)
    needed = sum(spec.nbytes for spec in contents("packed").specs)
    with pytest.raises(WriteFailed, match=rf"o\.h5: the disk is full; needs {needed} bytes, but \d+ are free there"):
        sink_of(tmp_path / "o.h5", contents("packed"), Full())
    assert os.listdir(tmp_path) == []
