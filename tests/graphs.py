"""TensorFlow's graphs in tests: most run once or twice."""

import contextlib

__all__ = ["as_they_are"]


@contextlib.contextmanager
def as_they_are():
    """Let TensorFlow run graphs as they are traced: what its optimizer makes of them takes longer than their runs."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
