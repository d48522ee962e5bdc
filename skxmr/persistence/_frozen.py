"""Codec of `FrozenEstimator`."""

from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator

from skxmr.persistence._checked_codec import make_codec


def check_frozen(frozen):
    """Raise a ValueError if a `FrozenEstimator` is invalid."""
    if not isinstance(frozen.estimator, BaseEstimator):
        raise ValueError("estimator of FrozenEstimator must be an estimator")


FROZEN_CODEC = make_codec(FrozenEstimator, check_frozen)
