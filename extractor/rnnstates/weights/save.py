"""Keep weights as a Keras 3 ``.weights.h5``, which Keras and ``load_weights`` read."""

import contextlib
import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path

import h5py

from ..arrays import Array
from ..errors import CannotCreate, OptionError, PermissionDenied, WriteFailed
from .canonical import LayerWeights, Network, RecurrentLayer

__all__ = ["save_weights"]

SUFFIX = ".weights.h5"


def save_weights(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a network's weights in the layout of Keras 3, complete or not at all.

    ``keras.Sequential`` of the same layers reads them by ``load_weights(path)``: ``Embedding`` where there is one,
    then ``LSTM`` or ``Bidirectional(LSTM)`` for each layer. What is added to the forget gate at run time goes into the
    bias.

    Parameters
    ----------
    network : Network
    path : str or path
        Ends in ``.weights.h5``; must not exist.

    Raises
    ------
    OptionError
        Another ending, or a network that such a file cannot tell: it holds arrays only.
    CannotCreate, PermissionDenied, WriteFailed
        The file exists, or cannot be made.

    Examples
    --------
    >>> import tempfile, rnnstates
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(rnnstates.random_network(8, units=3), f"{folder}/random.weights.h5")
    ...     rnnstates.load_weights(f"{folder}/random.weights.h5").layers[0].forward.units
    3
    """
    target = Path(path)
    if not target.name.endswith(SUFFIX):
        raise OptionError(f"{path}: expected a name that ends in {SUFFIX}, because that is what is written.")
    for layer in network.layers:
        _check_layer(layer, path)
    with _errors_told(path), _unnamed_beside(target) as unfinished:
        # By way of memory: HDF5 may crash when the process ends if it could not write a file.
        content = io.BytesIO()
        with h5py.File(content, "w", libver=("earliest", "v108")) as file:
            _write(file, network)
        unfinished.write_bytes(content.getvalue())
        _sync(unfinished)
        _name(unfinished, target)


def _check_layer(layer: RecurrentLayer, path: object) -> None:
    """Refuse what would be read back as something else, because only arrays are stored."""
    both = len(layer.directions) == 2
    problems = [
        ("goes backwards", layer.forward is None),
        (f"merges its directions by {layer.merge}", both and layer.merge != "concat"),
        *(
            (f"uses {weights.activation} and {weights.recurrent_activation} instead of tanh and sigmoid", True)
            for weights in layer.directions.values()
            if (weights.activation, weights.recurrent_activation) != ("tanh", "sigmoid")
        ),
    ]
    for problem, there in problems:
        if there:
            raise OptionError(
                f"{path}: layer '{layer.name}' {problem}, which a {SUFFIX} file cannot say; keep the file that the "
                "weights came from."
            )


def _write(file: h5py.File, network: Network) -> None:
    if network.embedding is not None:
        _variables(file, "layers/embedding", "embedding", [network.embedding])
    counts: dict[str, int] = {}
    for layer in network.layers:
        both = len(layer.directions) == 2
        group = "bidirectional" if both else "lstm"
        number = counts.setdefault(group, 0)
        counts[group] += 1
        place = f"layers/{group}" + (f"_{number}" if number else "")
        _variables(file, place, layer.name.split("/")[-1], [])
        for direction, weights in layer.directions.items():
            inner = f"{place}/{direction}_layer" if both else place
            _variables(file, f"{inner}/cell", "lstm_cell", _arrays(weights))


def _variables(file: h5py.File, place: str, name: str, arrays: list[Array]) -> None:
    group = file.require_group(f"{place}/vars")
    group.attrs["name"] = name
    for number, array in enumerate(arrays):
        group.create_dataset(str(number), data=array, track_times=False)


def _arrays(weights: LayerWeights) -> list[Array]:
    return [weights.kernel, weights.recurrent_kernel, weights.whole_bias().astype(weights.bias.dtype)]


@contextlib.contextmanager
def _unnamed_beside(target: Path) -> Iterator[Path]:
    """Make an empty file beside the target and remove it in the end, whatever became of it."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.partial")
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
    try:
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


def _name(unfinished: Path, target: Path) -> None:
    try:
        target.hardlink_to(unfinished)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: look, then rename
        if target.exists():
            raise FileExistsError(errno.EEXIST, "exists", str(target)) from None
        unfinished.rename(target)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def _errors_told(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except FileExistsError as reason:
        raise CannotCreate(f"{path}: exists; choose another name for the weights, or remove it.") from reason
    except (FileNotFoundError, NotADirectoryError) as reason:
        raise CannotCreate(f"{path}: its directory does not exist; make it first.") from reason
    except PermissionError as reason:
        raise PermissionDenied(f"{path}: its directory may not be written; choose another place.") from reason
    except OSError as reason:
        if reason.errno == errno.ENAMETOOLONG:
            raise CannotCreate(f"{path}: the name is too long; choose a shorter one.") from reason
        raise WriteFailed(f"{path}: cannot be written ({reason}); free some space or choose another place.") from reason
