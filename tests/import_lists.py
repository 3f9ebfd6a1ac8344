"""What the command imports, as data: ``test_imports`` holds it to these."""

__all__ = ["COMMAND", "HELP", "LIBRARIES", "NEVER", "WEIGHED"]

# Modules of the command that every call needs.
COMMAND = {"ending", "group", "grouped", "main", "options", "reporting", "stopping", "streams", "wording"}

# Rooms and modules of the library that hold words and errors; all that --help needs.
HELP = {
    "errors", "errors.choices", "errors.escaping", "extraction", "extraction.choices",
    "network", "network.names", "runtime", "runtime.stderr_filter",
    "runtime.tensorflow_start", "version", "weights", "weights.conventions", "weights.writers",
}  # fmt: skip

# Libraries that are not in Python itself, by case.
LIBRARIES = {
    "help": {"click"},
    "extract help": {"click"},
    "info of states": {"click", "h5py", "numpy"},
    "info of an array": {"click", "h5py", "numpy"},
    "info of an input": {"click", "h5py", "numpy"},
    "extract": {"click", "h5py", "numpy"},
    "extract with weights of Keras": {"click", "h5py", "numpy"},
}

# Rooms and parts of rooms that a case has no business with.
NEVER = {
    "info of states": ("collecting", "extraction.job", "keras", "sklearn", "verification", "weights.readers"),
    "info of an array": ("collecting", "extraction.job", "keras", "sklearn", "verification", "weights.readers"),
    "info of an input": (
        *("collecting", "extraction.job", "keras", "sklearn", "verification", "weights.load"),
        *("weights.frameworks.keras", "weights.frameworks.onnx", "weights.frameworks.tensorflow1"),
    ),
    "extract": (
        *("collecting", "describe", "keras", "sklearn", "verification", "weights.frameworks", "weights.readers"),
        *("exporting", "extraction.choosing", "inputs.hdf5_series", "inputs.lists", "inputs.ragged"),
        *("inputs.joined", "inputs.spool", "output.repacking"),
    ),
    "extract with weights of Keras": (
        *("collecting", "describe", "keras", "sklearn", "verification"),
        *("weights.frameworks.onnx", "weights.frameworks.tensorflow1", "weights.frameworks.torch"),
        *("weights.readers.checkpoint.file", "weights.readers.onnx.file", "weights.readers.torch.file"),
    ),
}

# How many modules of ours a case imports at most; fewer is better.
WEIGHED = {
    "help": 37,
    "extract help": 27,
    "info of states": 120,
    "info of an array": 118,
    "info of an input": 142,
    "extract": 192,
    "extract with weights of Keras": 248,
}
