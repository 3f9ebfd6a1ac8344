"""What fuzzing has found, as the smallest input that shows it: ``FOUND`` names the parser and what it says now."""

import json
import struct
import zlib

import h5py
import numpy as np

from . import keras_seeds, seeds, weights_seeds
from .forms import FORMS, pack

__all__ = ["FOUND"]


def replaced(content, old, new, *, after=b""):
    """Replace the first occurrence behind some bytes."""
    place = content.index(old, content.index(after))
    return content[:place] + new + content[place + len(old) :]


def compressed_states_that_are_damaged():
    sound = seeds.initial()[2]
    return replaced(sound, b"\x78", b"\x00", after=b"TREE\x01")[: len(sound)]


def states_below_a_damaged_group():
    return replaced(seeds.initial()[1], b"SNOD", b"SNOX")


def a_member_without_a_name():
    return FORMS["zip"].join({"hidden.npy": seeds.saved(np.zeros(3)), "": seeds.saved(np.zeros(3))})


def a_member_called_otherwise_in_its_header():
    """The name in the header is as long as it may be, so that it takes in what follows."""
    content = FORMS["zip"].join({"config.json": b"x" * 2**16, "model.weights.h5": b""})
    return content[:26] + b"\xff\xff" + content[28:]


def a_member_longer_than_its_archive():
    """Its entry in the directory says 1.9 GB, stored as they are."""
    content = bytearray(FORMS["zip"].join({"config.json": b"{}", "model.weights.h5": b"x" * 100}))
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 20 : entry + 28] = struct.pack("<II", 1_900_000_000, 1_900_000_000)
    return bytes(content)


def a_folder_with_an_index_of_nothing():
    """What stands before .index is the name of the checkpoint."""
    return pack({".index": b"", "saved": b""})


def a_dtype_that_numpy_no_longer_writes():
    return replaced(seeds.inputs_npy()[0], b"'<f4'", b"'|a4'")


def a_shape_of_lone_surrogates():
    return FORMS["npy"].join({"header": b"{'descr': '<f4', 'fortran_order': False, 'shape': '\\ud800'}"})


def letters_that_do_not_exist():
    sound = seeds.ids()[0]
    return sound[:-8] + b"\xff\xff\xff\x7f" + bytes(4)


def a_length_that_is_a_signalling_nan():
    return seeds.saved(np.array([5, 0, 1, 0], "f8"))[:-8] + struct.pack("<Q", 0x7FF0000000000001)


def a_state_that_is_a_signalling_nan():
    state = seeds.saved(np.zeros(3, "f4"))[:-4] + struct.pack("<I", 0x7F800001)
    return FORMS["zip"].join({"hidden.npy": state})


def hdf5_that_ends_beyond_all_places():
    """Where the inner file of a .keras ends, as byte 40 of it says."""
    parts = FORMS["zip"].split(keras_seeds.keras()[0])
    held = parts["model.weights.h5"]
    parts["model.weights.h5"] = held[:41] + b"\0" * 7 + b"\x10" + held[49:]
    return FORMS["zip"].join(parts)


def a_chunk_without_bytes_for_its_checksum():
    def fill(file):
        file.create_dataset("inputs", data=np.ones((1, 2, 2), "f4"), chunks=(1, 2, 2), fletcher32=True)

    # The size of the only chunk, and the bits of the filters that it skips.
    return replaced(seeds.hdf5(fill), struct.pack("<II", 20, 0), struct.pack("<II", 0, 0), after=b"TREE\x01")


def unpacked_to(shape, content, name="lengths", **others):
    """A file of one compressed chunk that gives other bytes than a chunk has."""

    def fill(file):
        for key, values in others.items():
            file[key] = values
        dataset = file.create_dataset(name, shape, "f4", chunks=shape, compression="gzip", shuffle=True)
        dataset.id.write_direct_chunk((0,) * len(shape), zlib.compress(content))

    return seeds.hdf5(fill)


def lengths_that_are_unpacked_to_less():
    """HDF5 fills the rest with what else lies in memory."""
    return unpacked_to((2,), bytes(4), inputs=np.ones((2, 1, 1), "f4"))


def states_that_are_unpacked_to_more():
    """HDF5 makes all of it."""
    return unpacked_to((4, 3), bytes(2**24), "hidden")


def weights_that_are_unpacked_to_less():
    return unpacked_to((6, 12), bytes(100), "rnn/kernel", **{"rnn/recurrent_kernel": seeds.values(3, 12)})


def inputs_that_cannot_be_in_so_few_bytes():
    return unpacked_to((1, 10_000, 2), b"", "inputs", lengths=[1])


def a_heap_whose_free_space_has_no_bytes():
    def fill(file):
        file.create_dataset("inputs", data=np.ones((2, 1, 1), "f4"))
        file.create_dataset("lengths", data=[1, 1])
        file.create_dataset("ids", data=["a", "b"], dtype=h5py.string_dtype())

    content = seeds.hdf5(fill)
    place = content.index(b"GCOL") + 16 + 2 * 24
    return content[: place + 8] + bytes(8) + content[place + 16 :]


def a_heap_with_an_object_that_comes_round_to_its_start():
    content = a_heap_whose_free_space_has_no_bytes()
    place = content.index(b"GCOL") + 16 + 24
    return content[: place + 8] + b"\xff" * 8 + content[place + 16 :]


def an_output_whose_attribute_lies_in_such_a_heap():
    def fill(file):
        file.attrs.create("format", "rnnstates", dtype=h5py.string_dtype())
        file.create_dataset("lengths", data=[1])

    content = seeds.hdf5(fill)
    place = content.index(b"GCOL") + 16
    return content[: place + 8] + b"\xff" * 8 + content[place + 16 :]


def a_string_of_4_gib():
    def fill(file):
        file.create_dataset("inputs", data=np.ones((1, 1, 1), "f4"))
        file.create_dataset("lengths", data=[1])
        file.create_dataset("ids", data=["abc"], dtype=h5py.string_dtype())

    content = seeds.hdf5(fill)
    heap = struct.pack("<Q", content.index(b"GCOL"))
    return replaced(content, b"\x03\0\0\0" + heap, b"\xff\xff\xff\xff" + heap)


def a_string_of_4_gib_in_a_compressed_chunk():
    stored = struct.pack("<IQI", 2**32 - 1, 4096, 1)

    def fill(file):
        file.create_dataset("inputs", data=np.ones((1, 1, 1), "f4"))
        file["lengths"] = [1]
        kind = h5py.string_dtype()
        ids = file.create_dataset("ids", (1,), kind, chunks=(1,), compression="gzip", shuffle=True)
        ids.id.write_direct_chunk((0,), zlib.compress(stored))

    return seeds.hdf5(fill)


def a_name_that_is_no_utf8():
    """In the list of the arrays that a layer has; it is reported, but could not be printed."""

    def fill(file):
        file.attrs["layer_names"] = [b"lstm"]
        names = np.array([b"\xd0/kernel:0", b"\xd0/recurrent_kernel:0"], object)
        file.create_group("lstm").attrs.create("weight_names", names, dtype=h5py.string_dtype())

    return seeds.hdf5(fill)


def an_attribute_of_varying_length_that_is_neither_text_nor_list():
    """HDF5 knows the kinds 0 and 1."""
    return replaced(keras_seeds.plain_hdf5()[1], b"\x19\x01", b"\x19\x03", after=b"layer_names")


def a_name_of_lone_surrogates():
    header = json.dumps({"\ud800": {"dtype": "F32", "shape": [1], "data_offsets": [0, 3]}}).encode()
    return FORMS["safetensors"].join({"header": header, "data": bytes(3)})


def a_folder_called_like_a_table_of_contents():
    return pack({"variables.index/x": b""})


def a_direction_that_is_a_signalling_nan():
    """Of a weight of PyTorch that is computed from it."""
    directions = np.full((12, 2), 0x7F800001, "u4").view("f4")
    return seeds.zipped(weights_seeds.wrapped_arrays() | {"rnn.module.weight_ih_l0_v": directions})


def inputs_below_a_damaged_group():
    return replaced(seeds.inputs_hdf5()[0], b"SNOD", b"SNOX")


def inputs_with_a_damaged_heap_of_names():
    return replaced(seeds.inputs_hdf5()[0], b"HEAP", b"HEAX")


def a_lock_whose_host_is_a_lone_surrogate():
    lock = {"host": "\ud800", "boot": "elsewhere", "pid": 1, "began": 1, "since": "\x1b[31m"}
    return pack({"x.h5.lock": json.dumps(lock).encode()})


# From the input to the parser and what it says; nothing where it reads.
def statistics_of_another_column():
    """pyarrow 26 ends the process when it is asked about a column of this file."""
    content = bytearray(seeds.tables_parquet()[4])
    place = content.index(b"schema\x15\x06\x00\x35\x02") + len(b"schema\x15\x06")
    content[place] ^= 2
    return bytes(content)


FOUND = {
    statistics_of_another_column: ("parquet", "pyarrow cannot read it"),
    compressed_states_that_are_damaged: ("initial", "HDF5 cannot read it"),
    states_below_a_damaged_group: ("initial", "HDF5 cannot read it"),
    a_member_without_a_name: ("initial", "holds '', which is not a state of this network"),
    a_member_called_otherwise_in_its_header: ("keras", "a zip archive that cannot be read"),
    a_member_longer_than_its_archive: ("keras", "member model.weights.h5: 1900000000 bytes at byte"),
    a_dtype_that_numpy_no_longer_writes: ("npy", "unknown to NumPy|strings"),
    a_shape_of_lone_surrogates: ("npy", "says shape '\\ud800'"),
    letters_that_do_not_exist: ("ids", "row 3 has invalid characters"),
    a_length_that_is_a_signalling_nan: ("lengths", "row 3 has length nan"),
    a_state_that_is_a_signalling_nan: ("initial", "'hidden' of sequence 0 is NaN or infinite"),
    hdf5_that_ends_beyond_all_places: ("keras", "HDF5 cannot open it"),
    a_chunk_without_bytes_for_its_checksum: ("hdf5-inputs", "its chunk at (0, 0, 0) has 0 bytes"),
    lengths_that_are_unpacked_to_less: ("hdf5-inputs", "is unpacked to 4 bytes; expected 8"),
    states_that_are_unpacked_to_more: ("initial", "is unpacked to 53 bytes or more; expected 48"),
    weights_that_are_unpacked_to_less: ("hdf5", "is unpacked to 100 bytes; expected 288"),
    inputs_that_cannot_be_in_so_few_bytes: ("hdf5-inputs", "its chunk at (0, 0, 0) has 8 bytes"),
    a_heap_whose_free_space_has_no_bytes: ("hdf5-inputs", "the heap of its strings at byte"),
    a_heap_with_an_object_that_comes_round_to_its_start: ("hdf5-inputs", "the heap of its strings at byte"),
    an_output_whose_attribute_lies_in_such_a_heap: ("states", "not a states file"),
    a_string_of_4_gib: ("hdf5-inputs", "a string declares 4294967295 bytes"),
    a_string_of_4_gib_in_a_compressed_chunk: ("hdf5-inputs", "a string declares 4294967295 bytes"),
    a_direction_that_is_a_signalling_nan: ("npz", "kernel has 24 values that are NaN or infinite"),
    a_name_that_is_no_utf8: ("hdf5", "which its group lists"),
    an_attribute_of_varying_length_that_is_neither_text_nor_list: ("hdf5", ""),
    a_name_of_lone_surrogates: ("safetensors", "invalid characters (lone surrogates)"),
    a_folder_with_an_index_of_nothing: ("saved-model", "/.index: its 0 bytes are no whole table of contents"),
    a_folder_called_like_a_table_of_contents: ("saved-model", "of another kind"),
    inputs_below_a_damaged_group: ("info", "bad symbol table node signature"),
    inputs_with_a_damaged_heap_of_names: ("info", "bad local heap signature"),
    a_lock_whose_host_is_a_lone_surrogate: ("clean", r"locked by \ud800:1 since \x1b[31m, on another machine"),
}
