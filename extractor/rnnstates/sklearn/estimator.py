"""``StateExtractor``, a step of a scikit-learn pipeline: sequences in, one vector per sequence out."""

import numbers
from typing import Any

import numpy as np

from ..arrays.axes import Array
from ..errors import EngineUnavailable, OptionError, choices
from ..extraction.choose_network import DEFAULT_UNITS, choose_network
from ..extraction.request import DEFAULTS, Options, Request, make_request
from ..network.initialise import random_network
from ..network.model import Network
from . import Expected, Padding, Sequences, read_sequences
from .vectors import check_empty, check_vectors, pool_sequences, vector_names

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError as reason:
    raise EngineUnavailable(
        f'scikit-learn cannot be imported ({reason}); StateExtractor needs it: pip install "rnnstates[sklearn]".'
    ) from reason

__all__ = ["StateExtractor"]

# Numeric parameters: their types, and the same in words.
NUMBERS: dict[str, tuple[Any, str]] = {
    "units": (numbers.Integral, "a whole number"),
    "seed": (numbers.Integral, "a whole number"),
    "padding_value": (numbers.Real | None, "a number, NaN or None"),
}


class StateExtractor(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Run a recurrent network over sequences, and return pooled states, as ``extract`` does, for scikit-learn.

    Nothing is learned from the values. Equivalent to::

        states = rnnstates.extract(X, lengths, weights=network, states=states, pool=pool)
        np.concatenate([states[f"{state}_{pooling}"] for state in states for pooling in pool], axis=1)

    except that the states of every step are not kept, and that sequences need no padding.

    Parameters
    ----------
    weights : path, Network or None
        None for random ones.
    layer, convention, embedding : str or None
        Of a weights file, as ``load_weights`` takes them; for its other arguments call it, and pass its Network here.
    units, seed : int
        Of random weights.
    forget_bias : float or None
        Of random weights (None: 1); with a file, what is added at run time.
    states : names
        Which states are pooled, as for ``extract``.
    pool : names
        Names in ``rnnstates.POOLINGS``.
    padding : str
        The side of the padding of a padded array: ``post`` or ``pre``.
    padding_value : float or None
        The value of the padding of a padded array, possibly NaN: steps at its end (``pre``: its start) whose features
        all have this value do not count, even if they are valid. Used if no lengths are given; sequences in a list have
        their own lengths.
    empty : float
        The result for an empty sequence: 0, or NaN as in a file, which most estimators refuse. ``final`` returns its
        initial state.
    engine, precision, threads, memory
        As for ``extract``. The results do not depend on ``threads`` and ``memory``; with ``n_jobs`` use ``threads=1``.

    Attributes
    ----------
    network_ : Network
        The weights.
    n_features_in_ : int
        I; 1 for token ids.
    token_ids_ : bool
        Whether sequences are token ids.

    Examples
    --------
    Fast and slow waves of different lengths; the last six are held out:

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> fast = np.tile([True, False], 30)
    >>> sequences = [np.sin(np.arange(20 + n)[:, np.newaxis] / (1 if fast[n] else 2)) for n in range(60)]
    >>> model = make_pipeline(StateExtractor(states="cell", pool="std"), LogisticRegression())
    >>> model.fit(sequences[:-6], fast[:-6]).predict(sequences[-6:])
    array([ True, False,  True, False,  True, False])
    """

    def __init__(
        self,
        *,
        weights: Any = None,
        layer: str | None = None,
        convention: str | None = None,
        embedding: str | None = None,
        units: int = DEFAULT_UNITS,
        seed: int = 0,
        forget_bias: float | None = None,
        states: Any = ("hidden",),
        pool: Any = ("mean",),
        padding: choices.Padding = DEFAULTS.padding,
        padding_value: float | None = None,
        empty: float = 0.0,
        engine: choices.Engine = DEFAULTS.engine,
        precision: choices.Precision = DEFAULTS.precision,
        threads: int | None = None,
        memory: int | str | None = None,
    ) -> None:
        self.weights = weights
        self.layer = layer
        self.convention = convention
        self.embedding = embedding
        self.units = units
        self.seed = seed
        self.forget_bias = forget_bias
        self.states = states
        self.pool = pool
        self.padding = padding
        self.padding_value = padding_value
        self.empty = empty
        self.engine = engine
        self.precision = precision
        self.threads = threads
        self.memory = memory

    def fit(self, X: Any, y: Any = None, lengths: Any = None) -> "StateExtractor":  # noqa: ARG002, N803
        """Check parameters and sequences, and load the weights or create random ones.

        Parameters
        ----------
        X : list of numeric [length, I] or int [length], or numeric [N, T, I] or int [N, T]
            One array per sequence, or a padded array. Token ids need weights with an embedding.
        y : ignored
        lengths : int [N], ``"full"`` or None
            Of a padded array. None uses ``padding_value``.

        Returns
        -------
        StateExtractor, itself

        Raises
        ------
        OptionError
            A parameter is unknown or out of range, or does not apply to the weights.
        MissingInput, BadWeights
            The weights cannot be read.
        BadInput
            X does not hold sequences, or their features do not match the weights.
        BadLengths
            A padded array has no lengths, or they do not fit.
        """
        self._learn(X, lengths)
        return self

    def transform(self, X: Any, lengths: Any = None) -> Array:  # noqa: N803
        """Compute one vector per sequence.

        Parameters
        ----------
        X, lengths
            As for ``fit``.

        Returns
        -------
        floating [N, W]
            In the given precision; its columns are those of ``get_feature_names_out``.

        Raises
        ------
        NotFittedError
            ``fit`` was not called.
        BadInput, BadLengths
            As for ``fit``; a valid step is NaN or infinite, or an id outside the vocabulary.
        EngineUnavailable, MemoryBudgetError
            It cannot be computed here.
        """
        check_is_fitted(self)
        network: Network = self.network_
        expected = Expected(network.embedding is not None, network.features, self.token_ids_, "as in fit")
        return self._vectors(self._read(X, lengths, expected))

    def fit_transform(self, X: Any, y: Any = None, lengths: Any = None) -> Array:  # noqa: ARG002, N803
        """Do both; see ``fit`` and ``transform``."""
        return self._vectors(self._learn(X, lengths))

    def get_feature_names_out(self, input_features: Any = None) -> Any:  # noqa: ARG002
        """List the column names: ``hidden_mean_0``, …; with several layers ``layer0/forward/hidden_mean_0``, ….

        Returns
        -------
        str [W], as objects

        Raises
        ------
        NotFittedError
            ``fit`` was not called.
        """
        check_is_fitted(self)
        return np.array(vector_names(self.network_, self._request()), dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _learn(self, X: Any, lengths: Any) -> Sequences:  # noqa: N803
        options = self._options()
        request = make_request(options)
        network = choose_network(options)
        sequences = self._read(X, lengths, _expected(network))
        if network is None:
            network = random_network(sequences.features, units=self.units, seed=self.seed, forget_bias=self.forget_bias)
        check_vectors(network, request)
        self.network_, self.n_features_in_, self.token_ids_ = network, sequences.features, sequences.ids
        return sequences

    def _options(self) -> Options:
        """Check the types of the parameters, and return them as options."""
        for name, (kind, expected) in NUMBERS.items():
            if not isinstance(getattr(self, name), kind):
                raise OptionError(f"{name}={getattr(self, name)!r}: expected {expected}.")
        check_empty(self.empty)
        # As in ``extract``, options of random weights are refused with other weights.
        units = None if self.units == DEFAULT_UNITS else self.units
        return Options.of({**self.get_params(deep=False), "units": units, "seed": self.seed or None})

    def _request(self) -> Request:
        return make_request(self._options())

    def _read(self, X: Any, lengths: Any, expected: Expected) -> Sequences:  # noqa: N803
        value = None if self.padding_value is None else float(self.padding_value)
        return read_sequences(X, lengths, Padding(self.padding, value), expected)

    def _vectors(self, sequences: Sequences) -> Array:
        return pool_sequences(sequences, self.network_, self._request(), empty=float(self.empty))


def _expected(network: Network | None) -> Expected:
    if network is None:
        return Expected()
    why = f"which layer '{network.layers[0].name}' reads"
    return Expected(network.embedding is not None, network.features, why=why, no_embedding=network.no_embedding)
