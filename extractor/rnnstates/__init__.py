"""Every hidden and cell state of a recurrent network, at every step of padded sequences.

The public names. Each is imported on first use, which keeps ``import rnnstates`` fast. TensorFlow is imported only when
the engine of that name starts or ``rnnstates.keras``, the layers, is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    BadData,
    BadInput,
    BadLengths,
    BadStates,
    BadWeights,
    CannotCreate,
    DoesNotMatch,
    EngineUnavailable,
    InputChanged,
    MemoryBudgetError,
    MissingInput,
    OptionError,
    OutputBusy,
    OutputError,
    OutputUnread,
    PermissionDenied,
    RnnstatesError,
    Stopped,
    WriteFailed,
)

# For the command, which prints text from files and owns its standard error; not public names.
from .errors.escaping import printable as printable
from .runtime.tensorflow_start import quiet_tensorflow as quiet_tensorflow
from .version import __version__

if TYPE_CHECKING:
    from .collecting.collect import collect
    from .describe import describe
    from .engines.choice import ENGINES
    from .errors.choices import COMPRESSIONS, DTYPES, IF_EXISTS, LAYOUTS, PADDINGS, PRECISIONS
    from .exporting.export import export
    from .exporting.formats import EXPORTERS
    from .exporting.inputs_file import write_inputs
    from .extraction.choices import CHOICES
    from .extraction.extract import extract
    from .extraction.preview import preview
    from .extraction.versions import versions
    from .network.initialise import random_network
    from .network.model import LayerWeights, Network, RecurrentLayer
    from .network.names import STATES
    from .network.pooling import POOLINGS
    from .output.reader import open_states as open
    from .output.repack import repack
    from .output.states import States
    from .output.unfinished import clean, status
    from .sklearn.estimator import StateExtractor as StateExtractor
    from .verification.verify import verify
    from .weights.conventions import CONVENTIONS
    from .weights.load import load_weights
    from .weights.save import save_weights
    from .weights.writers import WRITERS

# Public name: (module, attribute).
_LAZY = {
    "CHOICES": ("extraction.choices", "CHOICES"),
    "COMPRESSIONS": ("errors.choices", "COMPRESSIONS"),
    "CONVENTIONS": ("weights.conventions", "CONVENTIONS"),
    "DTYPES": ("errors.choices", "DTYPES"),
    "ENGINES": ("engines.choice", "ENGINES"),
    "EXPORTERS": ("exporting.formats", "EXPORTERS"),
    "IF_EXISTS": ("errors.choices", "IF_EXISTS"),
    "LAYOUTS": ("errors.choices", "LAYOUTS"),
    "LayerWeights": ("network.model", "LayerWeights"),
    "Network": ("network.model", "Network"),
    "PADDINGS": ("errors.choices", "PADDINGS"),
    "POOLINGS": ("network.pooling", "POOLINGS"),
    "PRECISIONS": ("errors.choices", "PRECISIONS"),
    "RecurrentLayer": ("network.model", "RecurrentLayer"),
    "STATES": ("network.names", "STATES"),
    "StateExtractor": ("sklearn.estimator", "StateExtractor"),
    "States": ("output.states", "States"),
    "WRITERS": ("weights.writers", "WRITERS"),
    "clean": ("output.unfinished", "clean"),
    "collect": ("collecting.collect", "collect"),
    "describe": ("describe", "describe"),
    "export": ("exporting.export", "export"),
    "extract": ("extraction.extract", "extract"),
    "load_weights": ("weights.load", "load_weights"),
    "open": ("output.reader", "open_states"),
    "preview": ("extraction.preview", "preview"),
    "random_network": ("network.initialise", "random_network"),
    "repack": ("output.repack", "repack"),
    "save_weights": ("weights.save", "save_weights"),
    "status": ("output.unfinished", "status"),
    "verify": ("verification.verify", "verify"),
    "write_inputs": ("exporting.inputs_file", "write_inputs"),
    "versions": ("extraction.versions", "versions"),
}

# Functions that read or write files: errors of the operating system become errors of ours.
_OF_FILES = (
    *(
        "clean",
        "collect",
        "describe",
        "export",
        "extract",
        "load_weights",
        "open",
        "preview",
        "repack",
        "save_weights",
        "status",
        "verify",
        "write_inputs",
    ),
)

# Not in ``import *``: the Keras layers, which start TensorFlow, and what needs an extra.
_LAYERS = "keras"
_EXTRAS = ("StateExtractor",)

__all__ = [
    "CHOICES",
    "COMPRESSIONS",
    "CONVENTIONS",
    "DTYPES",
    "ENGINES",
    "EXPORTERS",
    "IF_EXISTS",
    "LAYOUTS",
    "PADDINGS",
    "POOLINGS",
    "PRECISIONS",
    "STATES",
    "WRITERS",
    "BadData",
    "BadInput",
    "BadLengths",
    "BadStates",
    "BadWeights",
    "CannotCreate",
    "DoesNotMatch",
    "EngineUnavailable",
    "InputChanged",
    "LayerWeights",
    "MemoryBudgetError",
    "MissingInput",
    "Network",
    "OptionError",
    "OutputBusy",
    "OutputError",
    "OutputUnread",
    "PermissionDenied",
    "RecurrentLayer",
    "RnnstatesError",
    "States",
    "Stopped",
    "WriteFailed",
    "__version__",
    "clean",
    "collect",
    "describe",
    "export",
    "extract",
    "load_weights",
    "open",
    "preview",
    "random_network",
    "repack",
    "save_weights",
    "status",
    "verify",
    "versions",
    "write_inputs",
]


def __getattr__(name: str) -> Any:
    if name == _LAYERS:
        return import_module(f".{name}", __name__)
    if name not in _LAZY:
        raise AttributeError(f"module 'rnnstates' has no attribute '{name}'")
    module, attribute = _LAZY[name]
    value = getattr(import_module(f".{module}", __name__), attribute)
    if name in _OF_FILES:
        value = import_module(".extraction.system_errors", __name__).documented(value, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, _LAYERS, *_EXTRAS]
