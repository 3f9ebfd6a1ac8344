"""Writes weights to a Keras or PyTorch file, completely or not at all."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import CannotCreate, OptionError, PermissionDenied, WriteFailed
from ..errors.arguments import check_arguments
from ..errors.articles import with_article
from ..network.model import Network
from ..runtime.naming import give_free_name, sync_file, unnamed_beside
from .writers import WRITERS, Writer

__all__ = ["check_kept", "keep_weights", "save_weights"]


def save_weights(network: Network, path: str | os.PathLike[str], *, to: str | None = None) -> None:
    """Write a network's weights for Keras or PyTorch, completely or not at all.

    ``.weights.h5``: a ``keras.Sequential`` of the same layers reads it with ``load_weights(path)``: ``Embedding`` if
    there is one, then ``LSTM``, ``GRU`` or ``SimpleRNN``, or ``Bidirectional`` around one, for each layer.
    ``.safetensors``: ``safetensors.torch.load_file`` returns the arrays of one ``nn.LSTM``, ``nn.GRU`` or ``nn.RNN``
    under ``rnn.``, and of an ``nn.Embedding`` under ``embedding.``. What is added to the forget gate at run time is
    included in the bias.

    Parameters
    ----------
    network : Network
    path : str or path
        Ends in ``.weights.h5`` or ``.safetensors``; must not exist.
    to : str or None
        ``keras`` or ``torch``; None to go by the ending.

    Raises
    ------
    OptionError
        Another ending, or a network that such a file cannot express: it holds arrays only.
    CannotCreate, PermissionDenied, WriteFailed
        The file exists, or cannot be written.

    Examples
    --------
    >>> import tempfile, rnnstates
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(rnnstates.random_network(8, units=3), f"{folder}/random.weights.h5")
    ...     rnnstates.load_weights(f"{folder}/random.weights.h5").layers[0].forward.units
    3
    """
    check_arguments(locals(), required=("path",))
    if not isinstance(network, Network):
        raise OptionError(
            f"network=: is {with_article(type(network).__name__)}; expected a Network, as load_weights gives it."
        )
    target = Path(path)
    writer = _writer(path, to)
    problem = writer.problem(network)
    if problem:
        raise OptionError(
            f"{path}: {problem}; a {writer.suffix} file cannot express that. Keep the file that the weights came from."
        )
    with _errors_translated(path), unnamed_beside(target) as unfinished:
        unfinished.write_bytes(writer.content(network))
        sync_file(unfinished)
        give_free_name(unfinished, target, link=os.link, rename=os.rename)


def check_kept(path: str | os.PathLike[str]) -> None:
    """Check the ending of a weights file before anything is computed; ``keep_weights`` checks whether it exists.

    Raises
    ------
    OptionError
        No format that can be written has this ending.
    """
    _writer(path, None)


def keep_weights(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a network's weights unless the file already holds exactly them, as when a run is resumed.

    Raises
    ------
    OptionError, CannotCreate, PermissionDenied, WriteFailed
        As ``save_weights``.
    """
    target = Path(path)
    writer = _writer(path, None)
    if target.is_file() and not writer.problem(network):
        content = writer.content(network)
        with _errors_translated(path):
            if target.stat().st_size == len(content) and target.read_bytes() == content:
                return
    save_weights(network, path)


def _writer(path: str | os.PathLike[str], to: str | None) -> Writer:
    endings = " or ".join(f"{writer.suffix} ({name})" for name, writer in WRITERS.items())
    if to is not None and to not in WRITERS:
        raise OptionError(f"to={to!r}: unknown; known are {', '.join(WRITERS)}.")
    for name, writer in WRITERS.items():
        if os.fspath(path).endswith(writer.suffix) and to in (None, name):
            return writer
    wanted = endings if to is None else WRITERS[to].suffix
    raise OptionError(f"{path}: expected a name that ends in {wanted}, because that is what is written.")


@contextlib.contextmanager
def _errors_translated(path: str | os.PathLike[str]) -> Iterator[None]:
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
