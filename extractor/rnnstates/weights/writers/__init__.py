"""One module per format that weights are written in; ``WRITERS`` names them by framework."""

from collections.abc import Callable
from typing import NamedTuple

from ...network.model import Network
from . import keras_file, torch_safetensors

__all__ = ["WRITERS", "Writer"]


class Writer(NamedTuple):
    """How a network is written for one framework.

    Parameters
    ----------
    suffix : str
        What the file's name must end in.
    problem : callable
        ``problem(network)`` says what such a file cannot express; empty where it can say everything.
    content : callable
        ``content(network)`` gives the bytes of the file.
    """

    suffix: str
    problem: Callable[[Network], str]
    content: Callable[[Network], bytes]


WRITERS: dict[str, Writer] = {
    "keras": Writer(".weights.h5", keras_file.problem, keras_file.content),
    "torch": Writer(".safetensors", torch_safetensors.problem, torch_safetensors.content),
}
