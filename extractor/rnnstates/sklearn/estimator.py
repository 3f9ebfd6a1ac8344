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

# Parameters that arithmetic is done with: what they are.
NUMBERS: dict[str, tuple[Any, str]] = {
    "units": (numbers.Integral, "a whole number"),
    "seed": (numbers.Integral, "a whole number"),
    "padding_value": (numbers.Real | None, "a number, NaN or None"),
}


class StateExtractor(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Run a recurrent network over sequences and give pooled states, as ``extract`` does, to scikit-learn.

    Nothing is learned from the values. Equivalent to::

        states = rnnstates.extract(X, lengths, weights=network, states=states, pool=pool)
        np.concatenate([states[f"{state}_{pooling}"] for state in states for pooling in pool], axis=1)

    but that the states of every step are not kept, and that sequences need no padding.

    Parameters
    ----------
    weights : path, Network or None
        None for random ones.
    layer, convention, embedding : str or None
        Of a weights file, as ``load_weights`` takes them; what else it takes can be given to it, and its Network here.
    units, seed : int
        Of random weights.
    forget_bias : float or None
        Of random weights (None: 1); of a file, what is added at run time.
    states : names
        Which states are pooled, as for ``extract``.
    pool : names
        Names in ``rnnstates.POOLINGS``.
    padding : str
        Where a padded array has its padding: ``post`` or ``pre``.
    padding_value : float or None
        What the padding of a padded array is filled with, NaN perhaps: steps at its end (``pre``: in front) whose
        features all have this value do not count. A valid step that looks like this does not count there either.
        Used where no lengths are given; sequences in a list have their lengths.
    empty : float
        What a sequence without a step gives: 0, or NaN as in a file, which most estimators refuse. ``final`` gives
        the state that it would have started from.
    engine, precision, threads, memory
        As for ``extract``. The results do not depend on ``threads`` and ``memory``; with ``n_jobs`` take ``threads=1``.

    Attributes
    ----------
    network_ : Network
        The weights.
    n_features_in_ : int
        I; 1 of token ids.
    token_ids_ : bool
        Whether sequences are token ids.

    Examples
    --------
    Fast waves and slow ones, of different lengths; the last six are not learned from:

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
        """Check parameters and sequences, and load the weights or make random ones.

        Parameters
        ----------
        X : list of numeric [length, I] or int [length], or numeric [N, T, I] or int [N, T]
            One array a sequence, or a padded array. Token ids need weights with an embedding.
        y : ignored
        lengths : int [N], ``"full"`` or None
            Of a padded array. None takes ``padding_value``.

        Returns
        -------
        StateExtractor, itself

        Raises
        ------
        OptionError
            A parameter is unknown or out of range, or does not go with the weights.
        MissingInput, BadWeights
            The weights cannot be read.
        BadInput
            X is no sequences, or they have not the features that the weights read.
        BadLengths
            A padded array has no lengths, or not these.
        """
        self._learn(X, lengths)
        return self

    def transform(self, X: Any, lengths: Any = None) -> Array:  # noqa: N803
        """Return one vector per sequence.

        Parameters
        ----------
        X, lengths
            As for ``fit``.

        Returns
        -------
        floating [N, W]
            In the precision; its columns are those of ``get_feature_names_out``.

        Raises
        ------
        NotFittedError
            ``fit`` was not called.
        BadInput, BadLengths
            As for ``fit``; a valid step is NaN or infinite, or no id of the vocabulary.
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
        """Name the columns: ``hidden_mean_0``, …; of stacks and both directions ``layer0/forward/hidden_mean_0``, ….

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
        """Look at the parameters, each by its type."""
        for name, (kind, expected) in NUMBERS.items():
            if not isinstance(getattr(self, name), kind):
                raise OptionError(f"{name}={getattr(self, name)!r}: expected {expected}.")
        check_empty(self.empty)
        # As ``extract`` does, refuse what belongs to random weights where they are none.
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
