"""Ways to make a wrong file of a right one."""

import zipfile

import h5py
import pytest

import rnnstates
from rnnstates import BadWeights

KERNEL = "layers/lstm/cell/vars/0"


def zipped(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def replace_kernel(path, make):
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        make(file)


def refusal(path, **options):
    with pytest.raises(BadWeights) as error:
        rnnstates.load_weights(path, **options)
    assert str(path) in str(error.value)
    return str(error.value)


def functional(*layers):
    return {"class_name": "Functional", "config": {"name": "m", "layers": list(layers), "output_layers": [["a", 0, 0]]}}


def called_on(name, *inputs, class_name="LSTM", **config):
    nodes = [[[source, 0, 0, {}] for source in inputs]] if inputs else []
    config = {"name": name, "units": 5, "return_sequences": True, **config}
    return {"class_name": class_name, "config": config, "name": name, "inbound_nodes": nodes}


def both_ways(merge="concat", **config):
    """A Bidirectional around an LSTM of these settings."""
    inner = {"class_name": "LSTM", "config": {"units": 4} | config}
    return called_on("a", class_name="Bidirectional", layer=inner, merge_mode=merge)
