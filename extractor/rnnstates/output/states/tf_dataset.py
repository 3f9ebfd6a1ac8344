"""A ``tf.data.Dataset`` whose elements are sequences."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from ...runtime.tensorflow_start import TensorFlow, import_tensorflow
from .datasets import Datasets
from .items import Items, check_names

__all__ = ["tf_dataset"]

# TensorFlow comes without types.
TfDataset: TypeAlias = Any
TensorSpec: TypeAlias = Any


def tf_dataset(datasets: Datasets, names: str | Sequence[str]) -> TfDataset:
    """Return the sequences as elements; its ``element_spec`` knows dtypes and units.

    Raises
    ------
    EngineUnavailable
        TensorFlow does not start.
    """
    items = Items(datasets, check_names(datasets, names))
    tf = import_tensorflow()

    def elements() -> Iterator[dict[str, Any]]:
        return (items[index] for index in range(len(items)))

    made = tf.data.Dataset.from_generator(elements, output_signature=_signature(tf, items, datasets))
    return made.apply(tf.data.experimental.assert_cardinality(len(items)))


def _signature(tf: TensorFlow, items: Items, datasets: Datasets) -> dict[str, TensorSpec]:
    """Return the shape and dtype of each part of an element."""
    found = {}
    for name in items.names:
        dataset, steps = items.stored(name)
        first = 2 if steps and not datasets.whole.packed else 1
        shape = (*([None] if steps else []), *dataset.shape[first:])
        found[name] = tf.TensorSpec(shape, tf.as_dtype(dataset.dtype.newbyteorder("=")))
    ids = tf.string if datasets.whole.has_text_ids else tf.int64
    return found | {"length": tf.TensorSpec((), tf.int64), "id": tf.TensorSpec((), ids)}
