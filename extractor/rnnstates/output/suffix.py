"""Whether an output's name promises another format than the HDF5 that is written. Pure.

Only endings that are known to mean something else are refused: a dot in a name (``run.2026-11-29``) is no promise.
"""

import os
from pathlib import PurePath

from ..errors import OptionError

__all__ = ["PROMISES", "check_suffix"]

ARCHIVE, PICTURE, SHEET, STATISTICS = "an archive", "a picture", "a spreadsheet", "a data set of a statistics program"
TENSORFLOW, TORCH, PICKLE = "a file of TensorFlow", "a file of PyTorch", "a pickle"
BESIDE = "what an unfinished run leaves beside its output"
# What each ending promises, in lower case.
PROMISES = {
    **dict.fromkeys((".csv", ".tsv"), "a table of text"),
    **dict.fromkeys((".txt", ".log", ".md", ".html", ".xml"), "text"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "JSON"),
    **dict.fromkeys((".yaml", ".yml", ".toml", ".ini"), "settings as text"),
    **dict.fromkeys((".npy", ".npz"), "NumPy's own format"),
    **dict.fromkeys((".pkl", ".pickle", ".joblib", ".dill"), PICKLE),
    **dict.fromkeys((".parquet", ".pq"), "Parquet"),
    **dict.fromkeys((".feather", ".arrow", ".ipc"), "Arrow"),
    **dict.fromkeys((".avro", ".orc"), "a table of Hadoop's"),
    **dict.fromkeys((".mat",), "a MATLAB file"),
    **dict.fromkeys((".zarr", ".n5"), "a folder of Zarr"),
    **dict.fromkeys((".pt", ".pth", ".ckpt"), TORCH),
    **dict.fromkeys((".safetensors", ".onnx", ".keras", ".weights.h5", ".gguf", ".msgpack"), "weights"),
    **dict.fromkeys((".pb", ".tflite", ".tfrecord", ".tfrecords"), TENSORFLOW),
    **dict.fromkeys((".xls", ".xlsx", ".ods"), SHEET),
    **dict.fromkeys((".dta", ".sav", ".sas7bdat", ".rds", ".rda", ".rdata"), STATISTICS),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3", ".duckdb", ".lmdb"), "a database"),
    **dict.fromkeys((".h5ad", ".h5mu", ".loom"), "annotated single-cell data"),
    **dict.fromkeys((".nii", ".dcm", ".edf", ".wav", ".mp3", ".flac"), "a recording or scan"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".tif", ".tiff"), PICTURE),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".7z", ".rar"), ARCHIVE),
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst", ".lz4"), "a compressed file"),
    **dict.fromkeys((".partial", ".partial.new", ".journal", ".lock"), BESIDE),
}


def check_suffix(output: str | os.PathLike[str]) -> None:
    """Refuse a name that promises another format.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> for name in ("out.h5", "out.nc", "out", "run.2026-11-29", "out.states"):
    ...     check_suffix(name)
    """
    name = PurePath(output).name
    for ending, promise in PROMISES.items():
        stem = name[: -len(ending)]
        # A name that is nothing but an ending (.csv) promises nothing; what ends in ours would be taken for ours.
        if (stem or promise == BESIDE) and name.lower().endswith(ending):
            raise OptionError(
                f"{output}: the ending {ending} promises {promise}, but an output is HDF5; expected .h5, .hdf5, .nc or "
                f"no ending. Name it {PurePath(output).with_name(_plain(stem))}."
            )


def _plain(stem: str) -> str:
    """Give a name that ends in .h5."""
    stem = stem or "out"
    return stem if stem.lower().endswith((".h5", ".hdf5", ".nc")) else f"{stem}.h5"
