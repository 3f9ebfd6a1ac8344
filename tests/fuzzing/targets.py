"""Every parser of a file that may be hostile: ``PARSERS`` names them, each a function of bytes.

Those of ``commands.py`` are whole commands. Each swallows the errors that are documented, holds their messages to what
can be printed, and lets all else through: other exceptions, warnings, files left open.
"""

import contextlib
import functools
import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rnnstates import BadInput, BadWeights, RnnstatesError
from rnnstates.inputs.form import Form
from rnnstates.inputs.ids import open_ids
from rnnstates.inputs.initial import open_initial
from rnnstates.inputs.lengths import read_lengths
from rnnstates.inputs.opening import open_source
from rnnstates.inputs.stream import StreamSource
from rnnstates.output.journal import parse
from rnnstates.output.journal_file import read_journal
from rnnstates.output.reader import open_states
from rnnstates.output.unfinished import _progress
from rnnstates.untrusted.foreign import Wanted, kind_of_path
from rnnstates.untrusted.missing import missing_reported
from rnnstates.untrusted.npy import check_size, parse_header
from rnnstates.verification.verify import verify
from rnnstates.weights.frameworks import interpret, interpret_with, plain
from rnnstates.weights.options import WeightOptions
from rnnstates.weights.readers import EXPECTED, READERS, reader_of
from rnnstates.weights.readers.model_json import read_model_json

from . import (
    command_seeds,
    commands,
    form_seeds,
    input_forms,
    keras_seeds,
    onnx_seeds,
    seeds,
    tensorflow_seeds,
    weights_seeds,
    zarr_seeds,
)  # fmt: skip
from .input_forms import FOUR, LARGEST_WINDOW, some_of
from .outcomes import LONGEST_MESSAGE, documented
from .places import room, unpacked, written

__all__ = ["COMMANDS", "PARSERS", "Parser"]

MOST_STACKS = 4


class Parser(NamedTuple):
    """One parser.

    Parameters
    ----------
    run : callable
        Runs it on bytes.
    seeds : callable
        Gives small sound files, each of which it reads but for those of ``refusal``.
    reader : str
        Which of ``READERS`` reads the seeds; empty where the parser is none of weights.
    refusal : str
        A pattern of the messages with which some seeds are refused; empty where none is.
    """

    run: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    reader: str = ""
    refusal: str = ""


def npy_header(content):
    with documented():
        check_size(parse_header(io.BytesIO(content), "x.npy", BadInput), len(content), "x.npy", BadInput)


def npy_stream(content):
    with documented():
        source = StreamSource(io.BytesIO(content), form=Form(tokens=True))
        some_of(source)


def inputs(content):
    with documented(), contextlib.closing(open_source(written(content, "x"), form=Form(tokens=True))) as source:
        some_of(source)


def inputs_and_more(content):
    some_and_more(written(content, "x"))


def some_and_more(path):
    with documented(), contextlib.closing(open_source(path, form=Form(tokens=True))) as source:
        some_of(source)
        read_lengths(None, source)
        open_ids(None, source)


def lengths(content):
    with documented():
        read_lengths(written(content, "x"), FOUR)


def ids(content):
    with documented():
        found = open_ids(written(content, "x"), FOUR)
        list(found.blocks(3))


def initial(content):
    with documented():
        states = open_initial(written(content, "x"), {("", "hidden"): 3, ("", "cell"): 3}, 4)
        with contextlib.closing(states):
            states.read(np.arange(4))


def load(path, reader):
    """Read weights as ``load_weights`` does, but that the kind of file is not looked for: that takes most time."""
    known = READERS[reader]
    with documented():
        with missing_reported(path, EXPECTED):
            if not known.recognise(str(path)):
                raise BadWeights("of another kind")
        with known.open(str(path)) as container:
            # The second one counts for cells of TensorFlow 1 under names of their own, and for nothing else.
            convention = "keras" if plain.recognises(container) else "tensorflow1"
            model = interpret(container, convention)
            for top in model.tops()[:MOST_STACKS]:
                model.stack(top).load(WeightOptions())


def weights(reader):
    """Make the function that reads a file of weights with a reader."""
    return lambda content: load(written(content, "w"), reader)


def whole(content):
    """Look for the kind of file, whatever it is."""
    with documented():
        reader_of(str(written(content, "w")))


def foreign(content):
    """Name the kind of file, at each place where it may be given."""
    with documented():
        kind = kind_of_path(written(content, "w.bin"))
        for wanted in Wanted if kind is not None else ():
            message = kind.message(EXPECTED, wanted)
            assert message.isprintable(), message
            assert len(message) < LONGEST_MESSAGE


def folder(content):
    load(unpacked(content, "folder"), "folder")


def with_options(content):
    load(unpacked(content, "folder") / "weights.hdf5", "HDF5 with options")


def zarr_store(content):
    """Read a store in a folder; whatever is in a file of it."""
    some_and_more(unpacked(content, "folder"))


def checkpoint(content):
    load(unpacked(content, "folder") / "m", "TensorFlow")


def saved_model(content):
    load(unpacked(content, "folder"), "TensorFlow")


def onnx_in_files(content):
    load(unpacked(content, "folder") / "m.onnx", "ONNX")


def config(content):
    """Read a configuration beside weights that are sound."""
    with documented():
        document, _ = read_model_json(str(written(content, "model.json")))
        with READERS["HDF5"].open(str(sound_weights())) as container:
            model = interpret_with(container, document, "model.json")
            for top in model.tops()[:MOST_STACKS]:
                model.stack(top).load(WeightOptions())


@functools.cache
def sound_weights():
    """Write weights that no input changes."""
    return written(keras_seeds.embedded(), "sound.weights.h5")


def states(content):
    """Open an output, and hold all of it against its checksums."""
    with documented():
        path = written(content, "x.h5")
        open_states(path).close()
        verify(path, sample=0)


def states_in_python(content):
    """Read an output as programs do: its sequences, some of them, all steps, ids and tables."""
    with documented((RnnstatesError, KeyError)), open_states(written(content, "x.h5")) as opened:
        for states in (opened, opened[::-1]):
            read = [sequence[name] for sequence in states for name in sequence]
            read += [np.asarray(states[name]) for name in states.datasets if name not in ("lengths", "ids", "offsets")]
            assert sum(values.nbytes for values in read) < LARGEST_WINDOW
            for name in states.datasets:
                if name.rpartition("/")[2] in ("hidden", "cell"):
                    assert len(states.tokens(name).X) == sum(len(batch.X) for batch in states.token_batches(name, 1))
                    assert len(states.frame(name)) == states.lengths.sum()
            assert [states.by_id(one).length for one in states.ids] == states.lengths.tolist()
            states.to_xarray().load()


def journal(content):
    """Read a run's journal; whatever it holds, it is read as far as it is whole."""
    with documented():
        written(content, "x.journal")
        found = read_journal(room() / "x.journal")
        if found is None:
            raise RnnstatesError("not one whole line")
        assert found.valid <= len(content)
        assert found.torn == (found.valid < len(content))
        assert parse(content[: found.valid]).windows == found.windows
        _progress(found)


COMMANDS: dict[str, Parser] = {
    "extract": Parser(
        commands.extract,
        command_seeds.extract,
        refusal="give one length per sequence|has no datasets|no such dataset|--univariate",
    ),
    "info": Parser(commands.info, command_seeds.info),
    "convert": Parser(commands.convert, command_seeds.convert, refusal="file cannot express that"),
    "export": Parser(commands.export, command_seeds.export),
    "repack": Parser(commands.repack, command_seeds.repack),
    "status": Parser(commands.status, command_seeds.unfinished),
    "clean": Parser(commands.clean, command_seeds.unfinished, refusal="on another machine"),
    "verify": Parser(commands.verify, command_seeds.verify, refusal="not finished: 2 of 4"),
}
PARSERS: dict[str, Parser] = {
    **COMMANDS,
    "journal": Parser(journal, seeds.journals),
    "states": Parser(states, seeds.states),
    "states-in-python": Parser(states_in_python, seeds.states),
    "npy-header": Parser(npy_header, seeds.inputs_npy),
    "npy-stream": Parser(npy_stream, seeds.inputs_stream),
    "npy": Parser(inputs, seeds.inputs_npy),
    "hdf5-inputs": Parser(inputs_and_more, seeds.inputs_hdf5),
    "npz-inputs": Parser(inputs_and_more, seeds.inputs_npz),
    "parquet": Parser(inputs_and_more, seeds.tables_parquet),
    "arrow": Parser(inputs_and_more, seeds.tables_arrow),
    "zarr": Parser(zarr_store, zarr_seeds.folders),
    "zarr-zip": Parser(inputs_and_more, zarr_seeds.zips),
    "one-by-one": Parser(input_forms.one_by_one, form_seeds.one_by_one),
    "packed": Parser(input_forms.packed, form_seeds.packed),
    "rows": Parser(input_forms.rows, form_seeds.rows),
    "masks": Parser(input_forms.masks, form_seeds.masks),
    "padding-values": Parser(input_forms.padding_values, form_seeds.padding_values),
    "carried": Parser(input_forms.carried, form_seeds.carried),
    "lengths": Parser(lengths, seeds.lengths),
    "ids": Parser(ids, seeds.ids),
    "initial": Parser(initial, seeds.initial),
    "kind-of-weights": Parser(whole, weights_seeds.weights),
    "foreign": Parser(foreign, seeds.foreign),
    "safetensors": Parser(weights("safetensors"), weights_seeds.safetensors, "safetensors"),
    "npz": Parser(weights("npz"), weights_seeds.npz, "npz"),
    "msgpack": Parser(weights("msgpack"), weights_seeds.msgpack, "msgpack"),
    "json": Parser(weights("JSON"), weights_seeds.json_arrays, "JSON"),
    "onnx": Parser(weights("ONNX"), onnx_seeds.onnx, "ONNX"),
    "onnx-external": Parser(onnx_in_files, onnx_seeds.onnx_in_files, "ONNX"),
    "torch": Parser(weights("PyTorch"), weights_seeds.torch, "PyTorch"),
    "hdf5": Parser(weights("HDF5"), keras_seeds.plain_hdf5, "HDF5"),
    "keras": Parser(weights("Keras zip"), keras_seeds.keras, "Keras zip"),
    "unirep": Parser(folder, weights_seeds.unirep, "folder"),
    "elmo": Parser(with_options, weights_seeds.elmo, "HDF5 with options"),
    "checkpoint-1": Parser(checkpoint, tensorflow_seeds.checkpoints_1, "TensorFlow"),
    "checkpoint-2": Parser(checkpoint, tensorflow_seeds.checkpoints_2, "TensorFlow"),
    "keras-config": Parser(config, keras_seeds.configurations),
    "saved-model": Parser(saved_model, tensorflow_seeds.saved_models, "TensorFlow"),
}
