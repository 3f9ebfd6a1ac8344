"""Starts TensorFlow and Keras 3, and checks that they work together."""

from typing import Any, TypeAlias

from ..errors import EngineUnavailable
from ..runtime.tensorflow_start import TensorFlow, import_tensorflow

__all__ = ["PACKAGE", "Tensor", "keras", "tf"]

# The package name under which our classes are registered, so that Keras finds them when it loads a model.
PACKAGE = "rnnstates"

# Of TensorFlow, or a symbolic one of Keras; neither comes with types.
Tensor: TypeAlias = Any

tf: TensorFlow = import_tensorflow()


def _start_keras() -> Any:
    try:
        import keras
    except ImportError as reason:
        raise EngineUnavailable(f"Keras cannot be imported ({reason}); install it (pip install keras).") from reason
    if int(keras.__version__.partition(".")[0]) < 3:
        raise EngineUnavailable(f"Keras {keras.__version__}: the layers need Keras 3; pip install 'keras>=3'.")
    if keras.backend.backend() != "tensorflow":
        raise EngineUnavailable(
            f"Keras runs on {keras.backend.backend()}; the layers need TensorFlow: set KERAS_BACKEND=tensorflow before "
            "Keras is imported."
        )
    return keras


keras: Any = _start_keras()
