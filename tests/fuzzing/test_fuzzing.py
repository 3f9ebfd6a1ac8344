"""Whatever a file holds, a parser reads it or refuses it: no other exception, no warning, no file left open.

``make fuzz`` does the same for hours, guided by coverage; here each parser gets some dozens of files.
"""

import functools
import json
import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnstates.weights.readers import READERS

from . import keras_seeds
from .forms import FORMS
from .found import FOUND
from .outcomes import Outcome
from .structure import changed
from .targets import PARSERS

EXAMPLES = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@functools.cache
def sound(name):
    """Make the seeds of a parser, once."""
    return PARSERS[name].seeds()


def test_every_reader_of_weights_is_fuzzed():
    assert {parser.reader for parser in PARSERS.values()} - {""} == set(READERS)


@pytest.mark.parametrize("name", PARSERS)
def test_every_seed_is_read(name):
    for seed in sound(name):
        PARSERS[name].run(seed)
        expected = PARSERS[name].refusal
        assert not Outcome.refused or (expected and re.search(expected, Outcome.refused))


def flipped(content, chance):
    """Change, take out or put in some bytes."""
    held = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        place = chance.randrange(len(held) + 1)
        what = chance.random()
        if what < 0.6:
            held[place : place + 1] = bytes([chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))])
        elif what < 0.8:
            del held[place : place + chance.choice((1, 4, 8, 64))]
        else:
            held[place:place] = chance.randbytes(chance.choice((1, 4, 8, 64)))
    return bytes(held)


def damaged(content, other, chance):
    """Flip bytes inside the structure or anywhere, cut a file short, or go on with another one."""
    what = chance.random()
    if what < 0.6:
        return changed(content, lambda part: flipped(part, chance), chance)
    if what < 0.8:
        return flipped(content, chance)
    cut = content[: chance.randrange(len(content) + 1)]
    return cut if what < 0.9 else cut + other[chance.randrange(len(other) + 1) :]


@pytest.mark.parametrize("name", PARSERS)
@EXAMPLES
@given(st.data())
def test_a_damaged_file_is_read_or_refused(name, data):
    content, other = (data.draw(st.sampled_from(sound(name))) for _ in range(2))
    PARSERS[name].run(damaged(content, other, random.Random(data.draw(st.integers(0, 2**32)))))


@pytest.mark.parametrize("name", PARSERS)
@EXAMPLES
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_refused(name, content):
    PARSERS[name].run(content)


WORDS = st.sampled_from(["<f4", "|S3", "tanh", "LSTM", "F32", "a", "", "\0", "\ud800"]) | st.text(max_size=3)
NUMBERS = st.integers(-2, 5) | st.sampled_from([2**31, 2**63, -(2**70), 1.5, float("inf")])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=6,
)


@pytest.mark.parametrize("name", ["npy-header", "npy-stream", "npy", "lengths", "ids"])
@EXAMPLES
@given(VALUES, VALUES, VALUES, st.binary(max_size=32))
def test_any_npy_header_is_read_or_refused(name, descr, fortran_order, shape, data):
    header = repr({"descr": descr, "fortran_order": fortran_order, "shape": shape})
    PARSERS[name].run(FORMS["npy"].join({"header": header.encode("utf-8", "replace"), "data": data}))


ENTRIES = st.fixed_dictionaries(
    {}, optional={"dtype": VALUES | st.just("F32"), "shape": VALUES, "data_offsets": VALUES | st.just([0, 4])}
)


@EXAMPLES
@given(st.dictionaries(WORDS | st.just("rnn.weight_hh_l0"), ENTRIES | VALUES, max_size=3), st.binary(max_size=16))
def test_any_safetensors_header_is_read_or_refused(header, data):
    PARSERS["safetensors"].run(FORMS["safetensors"].join({"header": json.dumps(header).encode(), "data": data}))


CONFIGS = st.dictionaries(
    st.sampled_from(["name", "units", "layer", "layers", "activation", "use_bias", "merge_mode", "cell", "cells"]),
    VALUES | st.just(keras_seeds.INNER),
    max_size=4,
)
LAYERS = st.fixed_dictionaries(
    {"class_name": st.sampled_from(["LSTM", "GRU", "RNN", "Bidirectional", "Sequential", "Embedding"]) | VALUES},
    optional={"config": CONFIGS | VALUES, "name": VALUES, "inbound_nodes": VALUES, "module": VALUES},
)


@EXAMPLES
@given(
    st.fixed_dictionaries(
        {"class_name": st.sampled_from(["Sequential", "Functional"]) | VALUES},
        optional={
            "config": st.fixed_dictionaries(
                {"layers": st.lists(LAYERS | VALUES, max_size=4) | VALUES},
                optional={"name": VALUES, "input_layers": VALUES, "output_layers": VALUES},
            )
            | VALUES
        },
    )
)
def test_any_configuration_of_keras_is_read_or_refused(config):
    members = FORMS["zip"].split(sound("keras")[0])
    PARSERS["keras"].run(FORMS["zip"].join(members | {"config.json": json.dumps(config).encode()}))


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case.__name__)
def test_what_fuzzing_found_is_reported(case):
    name, reported = FOUND[case]
    PARSERS[name].run(case())
    assert (not Outcome.refused) if not reported else any(part in Outcome.refused for part in reported.split("|"))
    assert not re.search("[\ud800-\udfff]", Outcome.refused)
