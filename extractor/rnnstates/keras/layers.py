"""Recurrent layers that give every state of every step."""

from typing import Any

from ..errors import OptionError
from .cells import Settings
from .started import PACKAGE, keras
from .state_layer import StateLayer

__all__ = ["StateGRU", "StateLSTM", "StateRNN"]


@keras.saving.register_keras_serializable(PACKAGE)
class StateLSTM(StateLayer):
    """An LSTM that gives every hidden and every cell state.

    Parameters
    ----------
    units : int
        H.
    peepholes : bool
        Gates see the cell state too (Gers et al. 2002); a weight [3, H].
    projection : int or None
        Width P of the hidden state behind a projection (Sak et al. 2014); a weight [H, P].
    cell_clip, projection_clip : float or None
        The cell state, and the projected hidden state, are held within plus and minus this.
    forget_bias : float
        Added to the forget gate at run time, as TensorFlow 1 did; Keras' ``unit_forget_bias`` puts a 1 into the bias.
    go_backwards, fused
        See ``StateLayer``.
    **options
        ``activation``, ``recurrent_activation``, ``use_bias``, ``unit_forget_bias``, initialisers, regularisers,
        constraints, ``dropout`` and ``seed`` as ``keras.layers.LSTM`` has them, with its defaults; ``name``,
        ``dtype``, ``trainable``.

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
        settings = Settings(forget_bias, cell_clip, projection_clip)
        _check(units=units, projection=projection, **settings._asdict())
        super().__init__(
            units, go_backwards=go_backwards, fused=fused, settings=settings,
            cell={"peepholes": peepholes, "projection": projection}, **options,
        )  # fmt: skip
        self._own = {"peepholes": peepholes, "projection": projection, **settings._asdict()}

    def get_config(self) -> dict[str, Any]:
        """Give all that was told, in JSON types."""
        return {**super().get_config(), **self._own}


@keras.saving.register_keras_serializable(PACKAGE)
class StateGRU(StateLayer):
    """A GRU that gives every hidden state; see ``StateLSTM``. ``**options`` are those of ``keras.layers.GRU``."""

    _kind = "gru"

    def __init__(self, units: int, *, go_backwards: bool = False, **options: Any) -> None:
        _plain(self, units, go_backwards, options)


@keras.saving.register_keras_serializable(PACKAGE)
class StateRNN(StateLayer):
    """A simple RNN that gives every hidden state; see ``StateLSTM``. ``**options``: of ``keras.layers.SimpleRNN``."""

    _kind = "simple_rnn"

    def __init__(self, units: int, *, go_backwards: bool = False, **options: Any) -> None:
        _plain(self, units, go_backwards, options)


def _plain(layer: Any, units: int, go_backwards: bool, options: dict[str, Any]) -> None:
    """Initialise a layer whose cell has nothing beside Keras' own."""
    _check(units=units)
    options.pop("fused", None)
    StateLayer.__init__(layer, units, go_backwards=go_backwards, fused=False, settings=Settings(), cell={}, **options)


def _check(**numbers: Any) -> None:
    for name, value in numbers.items():
        if name == "forget_bias" or (value is None and name != "units"):
            continue
        whole = name in ("units", "projection")
        if not isinstance(value, int if whole else int | float) or value <= 0:
            raise OptionError(f"{name} {value!r}: expected a positive {'whole ' if whole else ''}number.")
