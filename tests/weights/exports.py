"""SavedModels without Keras' metadata, as either generation exports them."""

import contextlib
import io
from unittest import mock

from rnnstates.runtime.tensorflow_start import import_tensorflow

from .keras_models import is_keras_2


def export(model, path, *, whole=False):
    """Write a SavedModel.

    Parameters
    ----------
    whole : bool
        Keras 2 writes the functions of every layer, too, as it does by default (``save_traces``). Keras 3
        makes the functions of every layer, only to look for lookup tables in them. Both take most of the time.
    """
    tf = import_tensorflow()
    if is_keras_2(model):
        from tf_keras.src.saving.legacy.saved_model.save_impl import default_save_signature
        from tf_keras.src.saving.legacy.saved_model.utils import keras_option_scope

        with keras_option_scope(save_traces=whole):
            tf.saved_model.save(model, str(path), signatures=None if whole else default_save_signature(model))
    else:
        nowhere = mock.patch.object(tf.train.TrackableView, "descendants", return_value=[])
        with contextlib.nullcontext() if whole else nowhere, contextlib.redirect_stdout(io.StringIO()):
            model.export(str(path), verbose=False)
    return path
