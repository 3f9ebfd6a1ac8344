"""SavedModels without Keras' metadata, as either generation exports them."""

import contextlib
import io
from unittest import mock

from rnnstates.runtime.tensorflow_start import import_tensorflow

from .keras_models import is_keras_2


def export(model, path, *, whole=False, gradients=False):
    """Write a SavedModel.

    Parameters
    ----------
    whole : bool
        Keras 2 writes the functions of every layer, too, as it does by default (``save_traces``). Keras 3
        makes the functions of every layer, only to look for lookup tables in them. Both take most of the time.
    gradients : bool
        Keras 2 writes those of each LSTM and GRU that a GPU might run, as it always does; they take as long again.
    """
    tf = import_tensorflow()
    if is_keras_2(model):
        from tf_keras.src.saving.legacy.saved_model.save_impl import default_save_signature
        from tf_keras.src.saving.legacy.saved_model.utils import keras_option_scope

        with keras_option_scope(save_traces=whole), contextlib.nullcontext() if gradients else without_gradients():
            tf.saved_model.save(model, str(path), signatures=None if whole else default_save_signature(model))
    else:
        nowhere = mock.patch.object(tf.train.TrackableView, "descendants", return_value=[])
        with contextlib.nullcontext() if whole else nowhere, traced_once(), contextlib.redirect_stdout(io.StringIO()):
            model.export(str(path), verbose=False)
    return path


def without_gradients():
    """Let Keras 2 make no functions of gradients, which it makes of each LSTM and GRU that a GPU might run."""
    from tensorflow.python.eager.polymorphic_function.concrete_function import ConcreteFunction

    return mock.patch.object(ConcreteFunction, "add_gradient_functions_to_graph")


def traced_once():
    """Let Keras 3 look for a model's variables in the function that is written, not in another trace of it."""
    from keras.src.export.saved_model_export_archive import SavedModelExportArchive
    from tensorflow.python.saved_model import save_context, save_options

    look = SavedModelExportArchive._filter_and_track_resources

    def looking(archive):
        with save_context.save_context(save_options.SaveOptions()):
            return look(archive)

    return mock.patch.object(SavedModelExportArchive, "_filter_and_track_resources", looking)
