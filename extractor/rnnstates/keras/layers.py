"""The recurrent layers ``StateLSTM``, ``StateGRU`` and ``StateRNN``, which return every state of every step."""

import math
import numbers as numbers_of
from typing import Any

from ..errors import OptionError
from .cells import Settings
from .started import PACKAGE, keras
from .state_layer import StateLayer, to_flag

__all__ = ["StateGRU", "StateLSTM", "StateRNN"]


@keras.saving.register_keras_serializable(PACKAGE)
class StateLSTM(StateLayer):
    """An LSTM that returns every hidden and every cell state.

    Parameters
    ----------
    units : int
        H.
    peepholes : bool
        Gates see the cell state too (Gers et al. 2002); a weight [3, H].
    projection : int or None
        Width P of the hidden state after a projection (Sak et al. 2014); a weight [H, P].
    cell_clip, projection_clip : float or None
        The cell state, and the projected hidden state, are clipped to plus and minus this.
    forget_bias : float
        Added to the forget gate at run time, as in TensorFlow 1; Keras' ``unit_forget_bias`` initialises the bias to 1.
    go_backwards, fused
        See ``StateLayer``.
    **options
        ``activation``, ``recurrent_activation``, ``use_bias``, ``unit_forget_bias``, initialisers, regularisers,
        constraints, ``dropout`` and ``seed`` as in ``keras.layers.LSTM``, with its defaults; ``name``, ``dtype``,
        ``trainable``.

    References
    ----------
    The equations and their sources: ``rnnstates.network.cells.lstm``.

    Examples
    --------
    >>> import numpy as np
    >>> hidden, cell = StateLSTM(64)(np.ones((2, 10, 8), "float32"), lengths=[10, 6])
    >>> hidden.shape, cell.shape, float(abs(cell[1, 6:]).numpy().max())
    (TensorShape([2, 10, 64]), TensorShape([2, 10, 64]), 0.0)
    """

    _kind = "lstm"

    def __init__(
        self,
        units: int,
        *,
        peepholes: bool = False,
        projection: int | None = None,
        cell_clip: float | None = None,
        projection_clip: float | None = None,
        forget_bias: float = 0.0,
        go_backwards: bool = False,
        fused: bool = True,
        **options: Any,
    ) -> None:
        _check(units=units, projection=projection, forget_bias=forget_bias, cell_clip=cell_clip,
               projection_clip=projection_clip)  # fmt: skip
        peepholes = to_flag("peepholes", peepholes)
        # Python floats, not NumPy's, for JSON.
        clips = (None if clip is None else float(clip) for clip in (cell_clip, projection_clip))
        settings = Settings(float(forget_bias), *clips)
        projection = None if projection is None else int(projection)
        super().__init__(
            int(units), go_backwards=go_backwards, fused=fused, settings=settings,
            cell={"peepholes": peepholes, "projection": projection, "settings": settings}, **options,
        )  # fmt: skip
        self._own = {"peepholes": peepholes, "projection": projection, **settings._asdict()}

    def get_config(self) -> dict[str, Any]:
        """Return all arguments, in JSON types."""
        return {**super().get_config(), **self._own}


@keras.saving.register_keras_serializable(PACKAGE)
class StateGRU(StateLayer):
    """A GRU that returns every hidden state; see ``StateLSTM``. ``**options`` are those of ``keras.layers.GRU``."""

    _kind = "gru"

    def __init__(self, units: int, *, go_backwards: bool = False, **options: Any) -> None:
        _plain(self, units, go_backwards, options)


@keras.saving.register_keras_serializable(PACKAGE)
class StateRNN(StateLayer):
    """A simple RNN that returns every hidden state; see ``StateLSTM``. ``**options``: of ``keras.layers.SimpleRNN``."""

    _kind = "simple_rnn"

    def __init__(self, units: int, *, go_backwards: bool = False, **options: Any) -> None:
        _plain(self, units, go_backwards, options)


def _plain(layer: Any, units: int, go_backwards: bool, options: dict[str, Any]) -> None:
    """Initialise a layer whose cell adds nothing to Keras' own."""
    _check(units=units)
    to_flag("fused", options.pop("fused", False))
    StateLayer.__init__(
        layer, int(units), go_backwards=go_backwards, fused=False, settings=Settings(), cell={}, **options
    )


def _check(**numbers: Any) -> None:
    for name, value in numbers.items():
        if value is None and name not in ("units", "forget_bias"):
            continue
        whole = name in ("units", "projection")
        is_number = isinstance(value, numbers_of.Integral if whole else numbers_of.Real) and not isinstance(value, bool)
        if not (is_number and math.isfinite(value) and (value > 0 or name == "forget_bias")):
            kind = "finite" if name == "forget_bias" else "positive whole" if whole else "positive"
            raise OptionError(f"{name} {value!r}: expected a {kind} number.")
