"""JAX in float64 for a while, by whatever name its version has for that."""

import jax

__all__ = ["in_precision"]


def in_precision(precision):
    """Give a context in which JAX computes in ``float32`` or ``float64``."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(precision == "float64")
    from jax.experimental import enable_x64

    return enable_x64(precision == "float64")
