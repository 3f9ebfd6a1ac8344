"""What states become for other libraries: tables, labelled arrays, and data sets of PyTorch and TensorFlow."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .datasets import Datasets

if TYPE_CHECKING:
    from .tokens import Tokens
    from .torch_dataset import TorchDataset

__all__ = ["Forms"]

# A table or data set of another library.
Frame: TypeAlias = Any


class Forms:
    """The part of ``States`` that other libraries use; each is imported when it is asked for."""

    _datasets: Datasets

    def tokens(self, name: str = "hidden") -> "Tokens":
        """Return the valid steps of all sequences one below the other, in memory; for a probe, say.

        Parameters
        ----------
        name : str
            A state that has steps.

        Returns
        -------
        NamedTuple
            ``X`` [K, H] with K = sum of the lengths, and of each step ``sequence`` [K], its place in these states,
            ``id`` [K], its id (without ids in the input, its number there), and ``step`` [K], from 0 at the first
            valid step.
        """
        from .tokens import tokens

        return tokens(self._datasets, name)

    def token_batches(self, name: str = "hidden", steps: int = 100_000) -> "Iterator[Tokens]":
        """Yield what ``tokens`` returns in batches of so many steps, in bounded memory whatever the file's size."""
        from .tokens import token_batches

        return token_batches(self._datasets, name, steps)

    def frame(self, name: str = "hidden", kind: Literal["pandas", "arrow"] = "pandas") -> Frame:
        """Return a state or pooled vector as a table, in memory; for large files, one of ``states[start:stop]`` each.

        Parameters
        ----------
        name : str
        kind : str
            ``pandas`` for a DataFrame, ``arrow`` for a Table of pyarrow.

        Returns
        -------
        DataFrame or Table
            One row for each valid step, of a pooled vector for each sequence. The columns are ``sequence``, ``id`` (if
            the input has ids), ``step`` and one for each unit, such as ``hidden_0``.

        Raises
        ------
        EngineUnavailable
            The library is not installed.
        """
        from .frames import frame

        return frame(self._datasets, name, kind)

    def to_xarray(self) -> Frame:
        """Return an ``xarray.Dataset``; for several layers or directions a ``DataTree`` with one of each.

        The dimension ``sequence`` has the ids as its coordinate, beside ``lengths``; ``time`` and ``unit`` have
        numbers. In the packed layout ``step_sequence`` and ``step_time`` say of each step where it belongs. What was
        copied from the input is ``per_sequence/NAME`` and ``per_step/NAME``, in a tree as groups. States in a file are
        read when they are used, and the file must stay open.

        Raises
        ------
        EngineUnavailable
            xarray is not installed.
        """
        from .labelled import labelled

        return labelled(self._datasets)

    def torch_dataset(self, names: str | Sequence[str] = "hidden") -> "TorchDataset":
        """Return a map-style dataset of PyTorch, whose items are sequences.

        An item is a dict: each name with a tensor, [length, H] for a state and [H] for a pooled vector, ``length``
        (int) and ``id``. Of states in a file, it holds the path and the chosen sequences only: each process opens the
        file for itself when it reads the first item, so that workers may be forked or spawned. States in memory are
        copied to workers that are spawned.

        Parameters
        ----------
        names : str or sequence of str

        Returns
        -------
        torch.utils.data.Dataset
            ``DataLoader(dataset, batch_size=32, collate_fn=dataset.collate("padded"))`` gives [B, longest, H], zero
            past each length; ``"packed"`` a PackedSequence, for which no sequence may be empty. Both have ``length``
            (int64 [B]) and ``id`` (a list). Copied numbers of each step are padded or packed like states.

        Raises
        ------
        OptionError
            A name is of no dataset of numbers for each sequence or step.
        EngineUnavailable
            PyTorch is not installed.
        """
        from .torch_dataset import TorchDataset

        return TorchDataset(self, names)  # type: ignore[arg-type]

    def tf_dataset(self, names: str | Sequence[str] = "hidden") -> Frame:
        """Return a ``tf.data.Dataset``, whose elements are sequences.

        An element is a dict: each name with a tensor, [length, H] for a state and [H] for a pooled vector, ``length``
        (int64) and ``id`` (string, or int64). ``.padded_batch(32)`` and ``.ragged_batch(32)`` make batches of it.
        States in a file must stay open.

        Parameters
        ----------
        names : str or sequence of str

        Raises
        ------
        EngineUnavailable
            TensorFlow does not start.
        """
        from .tf_dataset import tf_dataset

        return tf_dataset(self._datasets, names)
