"""The names of an output: its file, the temporary files next to it, the endings it may have, what to do if it exists.

``OUTPUT.partial`` is the unfinished file, ``OUTPUT.journal`` says which of its windows are finished, ``OUTPUT.lock``
which process is at work. ``OUTPUT.partial.new`` is being laid out and becomes ``OUTPUT.partial`` once it can be opened.
"""

import os
from pathlib import Path, PurePath
from typing import NamedTuple

from ..errors import OptionError
from ..errors.choices import IF_EXISTS

__all__ = [
    "FAIL", "IF_EXISTS", "PARTIAL", "PROMISES", "REPLACE", "SKIP", "Names", "check_suffix", "choose_existing",
    "names_of",
]  # fmt: skip

# The ending of an unfinished file.
PARTIAL = ".partial"


class Names(NamedTuple):
    """The names that belong to an output, absolute, so that neither changed links nor ``os.chdir`` affect them.

    ``given`` is the output's name in messages.
    """

    output: Path
    partial: Path
    fresh: Path
    journal: Path
    lock: Path
    given: Path

    @property
    def leftovers(self) -> tuple[Path, ...]:
        """All names except the output and the lock: what an unfinished run leaves."""
        return self.partial, self.fresh, self.journal

    def shown(self, path: Path) -> str:
        """Return one of these names for a message."""
        return str(self.given) + path.name.removeprefix(self.output.name)


def names_of(output: str | os.PathLike[str]) -> Names:
    """Return the names; if the output is a symbolic link, those of its target."""
    given = Path(output)
    if given.is_symlink():
        given = given.resolve()
    path = given.parent.resolve() / given.name
    ends = (PARTIAL, PARTIAL + ".new", ".journal", ".lock")
    # A folder such as "/" has no name, and is refused when it is checked.
    partial, fresh, journal, lock = (path.parent / (path.name + end) for end in ends)
    return Names(path, partial, fresh, journal, lock, given)


ARCHIVE, PICTURE, SHEET, STATISTICS = "an archive", "a picture", "a spreadsheet", "a data set of a statistics program"
TENSORFLOW, TORCH, PICKLE = "a file of TensorFlow", "a file of PyTorch", "a pickle"
BESIDE = "what an unfinished run leaves next to its output"
# The format that each ending promises, in lower case.
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
    """Refuse a name whose ending promises a different format.

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
        # A name that is only an ending (.csv) promises nothing; but one of our own endings would be mistaken for ours.
        if (stem or promise == BESIDE) and name.lower().endswith(ending):
            raise OptionError(
                f"{output}: the ending {ending} promises {promise}, but an output is HDF5; expected .h5, .hdf5, .nc or "
                f"no ending. Name it {PurePath(output).with_name(_plain(stem))}."
            )


def _plain(stem: str) -> str:
    """Return a name that ends in .h5."""
    stem = stem or "out"
    return stem if stem.lower().endswith((".h5", ".hdf5", ".nc")) else f"{stem}.h5"


FAIL, SKIP, REPLACE = IF_EXISTS


def choose_existing(if_exists: str | None, *, force: bool) -> str:
    """Combine ``if_exists`` and its short form ``force``.

    Parameters
    ----------
    if_exists : str or None
        One of ``IF_EXISTS``; None for ``fail``, or for ``replace`` with ``force``.
    force : bool

    Raises
    ------
    OptionError
        It is not one of them, or the two contradict each other.

    Examples
    --------
    >>> choose_existing(None, force=False), choose_existing("skip", force=False), choose_existing(None, force=True)
    ('fail', 'skip', 'replace')
    """
    if if_exists is None:
        return REPLACE if force else FAIL
    if if_exists not in IF_EXISTS:
        raise OptionError(f'if_exists="{if_exists}": unknown; expected {", ".join(IF_EXISTS)}.')
    if force and if_exists != REPLACE:
        raise OptionError(f'if_exists="{if_exists}": contradicts force=True, which replaces the output; give one.')
    return if_exists
