"""What tests of JAX's frameworks share: float64 for a while, and random arrays instead of an initialiser's."""

import jax
import numpy as np

__all__ = ["KEY", "in_precision", "randomised"]

# Compiling takes seconds here, running microseconds.
jax.config.update("jax_disable_most_optimizations", True)
KEY = jax.random.PRNGKey(0)


def in_precision(precision):
    """Give a context in which JAX computes in ``float32`` or ``float64``, by whatever name its version has for that."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(precision == "float64")
    from jax.experimental import enable_x64

    return enable_x64(precision == "float64")


def randomised(tree, precision="float32", seed=7):
    """Give a tree with random numbers in place of its arrays, biases too.

    Of an array its shape is enough: that of ``jax.eval_shape(model.init, ...)``, which compiles no initialiser.
    """
    random = np.random.default_rng(seed)
    return jax.tree.map(lambda array: (random.normal(size=array.shape) * 0.4).astype(precision), tree)
