"""Inputs in .npz archives: against numpy.load and the states of the same array in a .npy; damaged ones."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rnnstates
from rnnstates.errors import BadInput, BadLengths, InputChanged, OptionError
from rnnstates.inputs import npz, open_source, read_lengths
from rnnstates.inputs.form import Form
from rnnstates.untrusted import zip_blocks

from ..builders import embedded, one_layer
from .conformance import make_inputs
from .stored import LENGTHS, open_, same, values_of

SAVES = {"stored": np.savez, "deflated": np.savez_compressed}


@pytest.mark.parametrize("way", SAVES)
@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_states_are_those_of_the_npy(tmp_path, way, layout):
    values, ids = values_of(), np.array(["a", "é", "cc", "d", "e"])
    SAVES[way](tmp_path / "x.npz", inputs=values, lengths=LENGTHS, ids=ids)
    np.save(tmp_path / "x.npy", values)
    network = one_layer(units=3, features=4)
    expected = rnnstates.extract(tmp_path / "x.npy", LENGTHS, ids=ids, weights=network, layout=layout)
    same(rnnstates.extract(tmp_path / "x.npz", weights=network, layout=layout), expected)


@pytest.mark.parametrize("way", SAVES)
@pytest.mark.parametrize("name", ["lengths", "offsets"])
def test_packed_arrays_are_cut_at_the_lengths_or_offsets_beside_them(tmp_path, way, name):
    values = values_of()
    flat = np.concatenate([row[:length] for row, length in zip(values, LENGTHS, strict=True)])
    beside = LENGTHS if name == "lengths" else np.concatenate([[0], np.cumsum(LENGTHS)])
    SAVES[way](tmp_path / "x.npz", **{"inputs": flat, name: beside})
    same(rnnstates.extract(tmp_path / "x.npz", units=3), rnnstates.extract(values, LENGTHS, units=3))


def test_token_ids_are_embedded(tmp_path):
    network, tokens = embedded(vocabulary=9, features=4, units=3), np.random.RandomState(1).randint(0, 9, (5, 7))
    np.savez_compressed(tmp_path / "x.npz", tokens=tokens, lengths=LENGTHS)
    same(rnnstates.extract(tmp_path / "x.npz", weights=network), rnnstates.extract(tokens, LENGTHS, weights=network))


def test_arrays_of_other_names_are_named_by_the_caller(tmp_path):
    values = values_of()
    np.savez(tmp_path / "x.npz", a=values, b=values + 1, n=LENGTHS, who=np.arange(5) * 7)
    found = rnnstates.extract(tmp_path / "x.npz", "n", dataset="b", ids="who", units=2)
    same(found, rnnstates.extract(values + 1, LENGTHS, ids=np.arange(5) * 7, units=2))


def test_the_nearest_lengths_count(tmp_path):
    values = values_of()
    np.savez(tmp_path / "x.npz", **{"train/inputs": values, "train/lengths": LENGTHS, "lengths": np.zeros(5, int)})
    with open_(tmp_path / "x.npz", dataset="train/inputs") as source:
        np.testing.assert_array_equal(read_lengths(None, source).lengths, LENGTHS)


def test_verify_finds_the_input_again(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", inputs=values_of(), lengths=LENGTHS)
    rnnstates.extract(tmp_path / "x.npz", units=3, output=tmp_path / "o.h5").close()
    report = rnnstates.verify(tmp_path / "o.h5")
    assert report["recomputed"] == [0, 2, 3, 4]
    assert not report["reason"]
    np.savez_compressed(tmp_path / "x.npz", inputs=values_of(seed=1), lengths=LENGTHS)
    with pytest.raises(BadInput, match=r"x\.npz: is not the input that .* sample_sha256 is"):
        rnnstates.verify(tmp_path / "o.h5")


@given(st.data(), st.sampled_from(list(SAVES)), st.booleans(), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_blocks_in_any_order_equal_numpy(tmp_path_factory, monkeypatch, data, way, fortran, seed):
    monkeypatch.setattr(zip_blocks, "LEAST_BETWEEN", 700)
    monkeypatch.setattr(zip_blocks, "MOST_UNPACKED", 300)
    monkeypatch.setattr(zip_blocks, "PIECE", 50)
    folder = tmp_path_factory.mktemp("npz")
    shape = tuple(data.draw(st.integers(1, 14)) for _ in range(3))
    values = np.random.RandomState(seed).randint(0, 30, shape).astype(data.draw(st.sampled_from(["<f4", ">f8", "<i2"])))
    SAVES[way](folder / "x.npz", inputs=np.asfortranarray(values) if fortran else values)
    expected = np.load(folder / "x.npz")["inputs"]
    with open_(folder / "x.npz") as source:
        for _ in range(6):
            rows, steps = (slice(*sorted(data.draw(st.tuples(*[st.integers(0, n)] * 2)))) for n in shape[:2])
            np.testing.assert_array_equal(source.read(rows, steps), expected[rows, steps])


def test_a_compressed_array_is_never_held_whole(tmp_path):
    values = np.repeat(np.random.RandomState(0).standard_normal((40, 10, 128)).astype("f4"), 100, axis=1)
    np.savez_compressed(tmp_path / "x.npz", inputs=values)
    tracemalloc.start()
    with open_(tmp_path / "x.npz") as source:
        for row in [*range(40), 5, 39, 0]:
            np.testing.assert_array_equal(source.read(slice(row, row + 1), slice(0, 1000))[0], values[row])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20 < values.nbytes / 4


def test_going_back_continues_from_a_copy_nearby(tmp_path, monkeypatch):
    values = np.repeat(np.random.RandomState(0).standard_normal((64, 10, 64)).astype("f4"), 100, axis=1)
    np.savez_compressed(tmp_path / "x.npz", inputs=values)
    with open_(tmp_path / "x.npz") as source:
        source.read(slice(63, 64), slice(0, 1000))
        got = []
        whole = zip_blocks._Deflated._next
        monkeypatch.setattr(zip_blocks._Deflated, "_next", lambda *given: got.append(whole(*given)) or got[-1])
        np.testing.assert_array_equal(source.read(slice(40, 41), slice(0, 1000))[0], values[40])
    assert sum(map(len, got)) <= zip_blocks.LEAST_BETWEEN + zip_blocks.MOST_UNPACKED + values[0].nbytes


def test_a_compressed_array_in_fortran_order_is_said_to_be_slow(tmp_path):
    for save, said in ((np.savez, "is read in many small pieces"), (np.savez_compressed, "each block needs all of it")):
        save(tmp_path / "x.npz", inputs=np.asfortranarray(make_inputs()))
        with open_(tmp_path / "x.npz") as source:
            assert said in source.notes[0]


def member(path, name="inputs.npy", *, content=None, array=None, method=zipfile.ZIP_DEFLATED):
    """Write an archive of one member."""
    stream = io.BytesIO()
    np.save(stream, make_inputs() if array is None else array, allow_pickle=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, stream.getvalue() if content is None else content)
    return path


def patched(path, find, replace, count=1):
    raw = path.read_bytes()
    assert raw.count(find) >= count
    path.write_bytes(raw.replace(find, replace))
    return path


def read_all(path):
    with open_(path) as source:
        return source.read(slice(0, source.shape[0]), slice(0, source.shape[1]))


def test_other_compressions_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"dataset 'inputs': is compressed by method 14; expected 0 \(stored\) or 8"):
        read_all(member(tmp_path / "x.npz", method=zipfile.ZIP_LZMA))


def test_an_encrypted_member_is_refused(tmp_path):
    path = member(tmp_path / "x.npz")
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(BadInput, match="dataset 'inputs': is encrypted; expected an unencrypted file"):
        read_all(path)


def test_objects_are_never_unpickled(tmp_path):
    path = member(tmp_path / "x.npz", array=np.full((2, 3, 4), None))
    with pytest.raises(BadInput, match=r"dataset 'inputs': holds pickled Python objects"):
        read_all(path)
    np.savez(path, inputs=values_of(), lengths=np.array([1, None]))
    with open_(path) as source, pytest.raises(BadLengths, match="dataset 'lengths': holds pickled Python objects"):
        read_lengths(None, source)


def test_a_member_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("inputs.npy", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("inputs.npy", b"2")
    with pytest.raises(BadInput, match="a member twice"):
        read_all(tmp_path / "x.npz")


@pytest.mark.parametrize("way", SAVES)
def test_a_wrong_checksum_or_damage_is_noticed_in_a_compressed_array(tmp_path, way):
    SAVES[way](tmp_path / "x.npz", inputs=values_of())
    raw = bytearray((tmp_path / "x.npz").read_bytes())
    with zipfile.ZipFile(tmp_path / "x.npz") as archive:
        info = archive.infolist()[0]
    place = raw.index(struct.pack("<I", info.CRC), raw.index(b"PK\x01\x02"))
    raw[place] ^= 1
    (tmp_path / "x.npz").write_bytes(raw)
    if way == "stored":
        # Parts of it are read in any order; so it is with a .npy.
        read_all(tmp_path / "x.npz")
        return
    with pytest.raises(BadInput, match=r"dataset 'inputs': its content contradicts its checksum.*copy it again"):
        read_all(tmp_path / "x.npz")


@pytest.mark.parametrize("seed", range(5))
def test_flipped_bits_in_a_compressed_array_are_noticed(tmp_path, seed):
    member(tmp_path / "x.npz", array=np.random.RandomState(0).standard_normal((9, 8, 7)))
    raw = bytearray((tmp_path / "x.npz").read_bytes())
    raw[np.random.RandomState(seed).randint(400, len(raw) // 2)] ^= 16
    (tmp_path / "x.npz").write_bytes(raw)
    with pytest.raises(BadInput, match=r"cannot be decompressed after|contradicts its checksum|it is decompressed to"):
        read_all(tmp_path / "x.npz")


def test_a_content_of_another_size_is_refused(tmp_path):
    whole = io.BytesIO()
    np.save(whole, make_inputs())
    path = member(tmp_path / "x.npz", content=whole.getvalue()[:-4])
    with pytest.raises(BadInput, match=r"dataset 'inputs': cut short; shape \(7, 5, 3\) of float32 takes 548 bytes"):
        read_all(path)
    # The directory says more than there is.
    size = struct.pack("<I", len(whole.getvalue()) - 4)
    patched(path, size, struct.pack("<I", len(whole.getvalue())), 2)
    with pytest.raises(BadInput, match="it is decompressed to 544 bytes; expected 548"):
        read_all(path)
    path = member(tmp_path / "x.npz", content=whole.getvalue(), method=zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    struct.pack_into("<I", raw, raw.index(b"PK\x01\x02") + 20, 500)
    path.write_bytes(raw)
    with pytest.raises(BadInput, match="declares 548 bytes, and 500 that are stored"):
        read_all(path)


def test_a_member_that_is_elsewhere_is_refused(tmp_path):
    path = member(tmp_path / "x.npz")
    raw = bytearray(path.read_bytes())
    raw[0:4] = b"PK\x03\x05"
    path.write_bytes(b"PK\x03\x04" + bytes(26) + bytes(raw)[30:])
    raw[0:4] = b"PK\x03\x04"
    struct.pack_into("<I", raw, raw.index(b"PK\x01\x02") + 42, 1)
    path.write_bytes(raw)
    with pytest.raises(BadInput, match="its content is not at byte 1"):
        read_all(path)


def test_a_bomb_of_lengths_is_refused_and_one_of_inputs_is_read_in_pieces(tmp_path, monkeypatch):
    # 200 MB in 200 KB: read, it would be 40 bytes of each kept one.
    monkeypatch.setattr(npz, "SMALL", 2**16)
    np.savez_compressed(tmp_path / "x.npz", inputs=np.zeros((300, 400, 10), "f4"), lengths=np.zeros(10**6, "i8"))
    with open_(tmp_path / "x.npz") as source:
        assert not source.read(slice(299, 300), slice(0, 400)).any()
        with pytest.raises(
            BadLengths, match=r"dataset 'lengths': has 8000128 bytes; expected at most .* It is refused"
        ):
            read_lengths(None, source)


def test_a_change_while_it_is_read_is_noticed(tmp_path):
    np.savez(tmp_path / "x.npz", inputs=make_inputs())
    with open_(tmp_path / "x.npz") as source:
        with open(tmp_path / "x.npz", "ab") as file:
            file.write(b"more")
        with pytest.raises(InputChanged, match="dataset 'inputs': had"):
            source.read(slice(0, 1), slice(0, 1))


def test_what_is_there_is_listed_when_nothing_fits(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros((2, 3)), lengths=np.zeros(3))
    with pytest.raises(BadInput, match=r"x\.npz: no dataset 'inputs' and none that fits; .*'a' \(2, 3\) float64"):
        open_source(tmp_path / "x.npz")
    with pytest.raises(BadInput, match=r"x\.npz: no dataset 'inptus'; present: .*Name one with dataset="):
        open_source(tmp_path / "x.npz", dataset="inptus")
    with open_(member(tmp_path / "x.npz"), form=Form(axes="TNI")) as source:
        assert source.shape == (5, 7, 3)
    with pytest.raises(OptionError, match='axes="TI" names 2 axes'):
        open_source(tmp_path / "x.npz", form=Form(axes="TI"))


def test_an_archive_behind_other_bytes_and_of_zip64_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive, archive.open("inputs.npy", "w", force_zip64=True) as file:
        np.save(file, make_inputs())
    np.testing.assert_array_equal(read_all(tmp_path / "x.npz"), make_inputs())


def test_a_streamed_archive_with_sizes_behind_its_members_is_read(tmp_path):
    class Pipe(io.RawIOBase):
        """A stream that cannot go back."""

        def __init__(self):
            self.content = bytearray()

        def writable(self):
            return True

        def write(self, content):
            self.content += content
            return len(content)

    pipe = Pipe()
    np.savez_compressed(pipe, inputs=make_inputs(), lengths=LENGTHS)
    (tmp_path / "x.npz").write_bytes(pipe.content)
    np.testing.assert_array_equal(read_all(tmp_path / "x.npz"), make_inputs())
