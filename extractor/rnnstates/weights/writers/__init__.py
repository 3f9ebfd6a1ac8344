"""Writes weights; one module per format, listed by framework in ``WRITERS``."""

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ...network.model import Network

__all__ = ["WRITERS", "Writer"]


class Writer(NamedTuple):
    """How a network is written for one framework.

    Parameters
    ----------
    suffix : str
        The required ending of the file's name.
    module : str
        Imported on use; has the functions ``problem(network)`` and ``content(network)``.
    """

    suffix: str
    module: str

    def problem(self, network: "Network") -> str:
        """Say what such a file cannot express; empty if it can express everything."""
        return str(import_module(f".{self.module}", __package__).problem(network))

    def content(self, network: "Network") -> bytes:
        """Return the bytes of the file."""
        return bytes(import_module(f".{self.module}", __package__).content(network))


WRITERS: dict[str, Writer] = {
    "keras": Writer(".weights.h5", "keras_file"),
    "torch": Writer(".safetensors", "torch_safetensors"),
}
