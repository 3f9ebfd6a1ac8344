"""Weights files made to attack; each function writes one into a folder and gives its path.

``bait(folder)`` is the file that appears there if code in a weights file runs.
"""

import collections
import io
import json
import pickle
import zipfile

import numpy as np

GIANT = 2**36  # 64 GiB


def bait(folder):
    return folder / "executed"


class Payload:
    """Unpickling it makes the bait."""

    def __init__(self, folder):
        self.target = str(bait(folder))

    def __reduce__(self):
        return (open, (self.target, "w"))


class Reduced:
    """Pickled as a call of a function with arguments, and perhaps a state."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


def safetensors(folder, entries, data=b"", *, length=None, text=None):
    header = text if text is not None else json.dumps(entries).encode()
    path = folder / "w.safetensors"
    path.write_bytes((len(header) if length is None else length).to_bytes(8, "little") + header + data)
    return path


def entry(shape, start, stop, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def npy(header, data=b""):
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def npz(folder, members, **options):
    with zipfile.ZipFile(folder / "w.npz", "w", **options) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return folder / "w.npz"


def torch_zip(folder, pickled, **members):
    with zipfile.ZipFile(folder / "w.pt", "w") as archive:
        archive.writestr("w/data.pkl", pickled)
        archive.writestr("w/version", "3\n")
        for name, content in members.items():
            archive.writestr(f"w/{name.replace('__', '/')}", content)
    return folder / "w.pt"


def a_bare_pickle(folder):
    (folder / "w.pkl").write_bytes(pickle.dumps({"weight_hh_l0": Payload(folder)}))
    return folder / "w.pkl"


def a_pickle_in_a_pt(folder):
    return torch_zip(folder, pickle.dumps({"rnn.weight_hh_l0": Payload(folder)}, protocol=2))


def a_pickle_of_the_old_form(folder):
    import torch

    held = io.BytesIO()
    torch.save({"rnn.weight_hh_l0": Payload(folder)}, held, _use_new_zipfile_serialization=False)
    (folder / "w.pth").write_bytes(held.getvalue())
    return folder / "w.pth"


def a_whole_module(folder):
    import torch

    torch.save(torch.nn.LSTM(3, 5), folder / "w.pt")
    return folder / "w.pt"


def a_numpy_scalar_that_is_a_pickle(folder):
    """NumPy unpickles the bytes of a scalar of objects."""
    import torch

    scalar = Reduced(np._core.multiarray.scalar, (np.dtype("O"), pickle.dumps(Payload(folder))))
    torch.save({"rnn.weight_hh_l0": torch.ones(20, 5), "best": scalar}, folder / "w.pt")
    return folder / "w.pt"


def an_array_of_objects_in_a_pt(folder):
    import torch

    torch.save({"rnn.weight_hh_l0": np.array([Payload(folder)], object)}, folder / "w.pt")
    return folder / "w.pt"


def an_array_in_a_pt_that_declares_64_gib(folder):
    import torch

    state = (1, (GIANT // 16, 4), np.dtype("f4"), False, b"\0" * 16)
    array = Reduced(np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), state)
    torch.save({"rnn.weight_hh_l0": array}, folder / "w.pt")
    return folder / "w.pt"


def a_mapping_in_a_pt_whose_default_is_code(folder):
    import torch

    torch.save({"rnn.weight_hh_l0": torch.ones(20, 5), "a": collections.defaultdict(breakpoint)}, folder / "w.pt")
    return folder / "w.pt"


def lists_in_a_pt_that_multiply(folder):
    import torch

    held = [1.0]
    for _ in range(9):
        held = [held] * 30
    torch.save({"rnn.weight_hh_l0": torch.ones(20, 5), "a": held}, folder / "w.pt")
    return folder / "w.pt"


def a_torchscript(folder):
    return torch_zip(
        folder, pickle.dumps({}, protocol=2), code____torch__="def forward(self): pass", **{"constants.pkl": b""}
    )


def a_tensor_larger_than_its_storage(folder):
    """A state_dict whose tensor claims 64 GiB of a storage of 16 bytes."""
    import torch

    real = torch.ones(4)
    torch.save({"rnn.weight_hh_l0": real, "rnn.weight_ih_l0": torch.ones(20, 3)}, folder / "small.pt")
    with zipfile.ZipFile(folder / "small.pt") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (name,) = (name for name in members if name.endswith("data.pkl"))
    # The size (4,) and stride (1,) of the first tensor become (2**34,) and (0,).
    pickled = (
        members[name]
        .replace(b"K\x04\x85", b"\x8a\x05\x00\x00\x00\x00\x04\x85", 1)
        .replace(b"K\x01\x85", b"K\x00\x85", 1)
    )
    members[name] = pickled
    with zipfile.ZipFile(folder / "w.pt", "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    (folder / "small.pt").unlink()
    return folder / "w.pt"


def a_pt_that_is_a_bomb(folder):
    with zipfile.ZipFile(folder / "w.pt", "w", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("w/data/0", bytes(2**26))
    return folder / "w.pt"


def a_pt_with_a_member_twice(folder):
    path = torch_zip(folder, pickle.dumps({}, protocol=2))
    import warnings

    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("w/data.pkl", pickle.dumps({"a": 1}, protocol=2))
    return path


def an_object_array_in_npz(folder):
    held = io.BytesIO()
    np.save(held, np.array([Payload(folder)], object), allow_pickle=True)
    return npz(folder, [("lstm/recurrent_kernel.npy", held.getvalue()), ("lstm/kernel.npy", held.getvalue())])


def an_npz_that_declares_64_gib(folder):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({GIANT // 16}, 4), }}"
    return npz(folder, [("lstm/recurrent_kernel.npy", npy(header)), ("lstm/kernel.npy", npy(header))])


def an_npz_that_is_a_bomb(folder):
    content = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (16777216,), }", bytes(2**26))
    return npz(folder, [("kernel.npy", content), ("recurrent_kernel.npy", content)], compression=zipfile.ZIP_DEFLATED)


def an_npz_with_a_header_of_code(folder):
    header = f"{{'descr': __import__('os').mkdir('{bait(folder)}'), 'fortran_order': False, 'shape': (), }}"
    return npz(folder, [("kernel.npy", npy(header)), ("recurrent_kernel.npy", npy(header))])


def safetensors_beyond_the_file(folder):
    return safetensors(folder, {"rnn.weight_hh_l0": entry([2**32, 4], 0, GIANT)})


def safetensors_that_overlap(folder):
    two = {"rnn.weight_hh_l0": entry([4], 0, 16), "rnn.weight_ih_l0": entry([4], 8, 24)}
    return safetensors(folder, two, bytes(24))


def safetensors_with_a_gap(folder):
    two = {"rnn.weight_hh_l0": entry([4], 0, 16), "rnn.weight_ih_l0": entry([4], 32, 48)}
    return safetensors(folder, two, bytes(48))


def safetensors_of_another_size(folder):
    return safetensors(folder, {"rnn.weight_hh_l0": entry([8], 0, 16)}, bytes(16))


def safetensors_with_a_name_twice(folder):
    one = json.dumps(entry([4], 0, 16))
    text = f'{{"rnn.weight_hh_l0": {one}, "rnn.weight_hh_l0": {one}}}'.encode()
    return safetensors(folder, {}, bytes(16), text=text)


def safetensors_with_negative_offsets(folder):
    return safetensors(folder, {"rnn.weight_hh_l0": entry([4], -16, 0)}, bytes(16))


def safetensors_with_a_header_longer_than_the_file(folder):
    return safetensors(folder, {}, length=99_000_000, text=b"{}")


def safetensors_nested_without_end(folder):
    return safetensors(folder, {}, text=b'{"a":' * 100_000)


# From the attack to what the refusal says.
ATTACKS = {
    a_bare_pickle: "a Python pickle, which is never loaded because it can run any code",
    a_pickle_in_a_pt: "PyTorch refuses to read it as weights alone",
    a_pickle_of_the_old_form: "PyTorch refuses to read it as weights alone",
    a_whole_module: "PyTorch refuses to read it as weights alone",
    a_torchscript: "a TorchScript program, which holds code",
    a_numpy_scalar_that_is_a_pickle: "a NumPy scalar of Python objects holds a pickle of its own",
    an_array_of_objects_in_a_pt: "PyTorch refuses to read it as weights alone",
    an_array_in_a_pt_that_declares_64_gib: "is a NumPy array, but not a plain one",
    a_mapping_in_a_pt_whose_default_is_code: "PyTorch refuses to read it as weights alone",
    lists_in_a_pt_that_multiply: "has the same mappings and lists in too many places",
    a_tensor_larger_than_its_storage: "declares (17179869184,) torch.float32 but stores 16 bytes",
    a_pt_that_is_a_bomb: "unpacks",
    a_pt_with_a_member_twice: "a member twice",
    an_object_array_in_npz: "holds pickled Python objects (dtype object), which are never loaded",
    an_npz_that_declares_64_gib: "cut short; shape (4294967296, 4) of float32 takes 68719476864 bytes",
    an_npz_that_is_a_bomb: "weights do not compress so well",
    an_npz_with_a_header_of_code: "its .npy header is damaged",
    safetensors_beyond_the_file: "its arrays end at 68719476736, but it has 0 bytes",
    safetensors_that_overlap: "starts at 8; expected 16",
    safetensors_with_a_gap: "starts at 32; expected 16",
    safetensors_of_another_size: "has 16 bytes; expected 32",
    safetensors_with_a_name_twice: "names something twice",
    safetensors_with_negative_offsets: "has no dtype, shape and two offsets",
    safetensors_with_a_header_longer_than_the_file: "declares a header of 99000000 bytes",
    safetensors_nested_without_end: "its header has 99999 objects or lists",
}
