"""Maps from scores to precision, and from there to the scores of another ranking."""

from typing import NamedTuple

import numpy as np
from sklearn.isotonic import IsotonicRegression


class PrecisionMap(NamedTuple):
    """Increasing, piecewise linear map from a score to the fraction of correct labels.

    Attributes
    ----------
    scores : ndarray of shape (n_knots,), float64
        Scores, increasing.
    precision : ndarray of shape (n_knots,), float64
        Fraction of the held-out labels with this score that are correct, not decreasing.
    """

    scores: np.ndarray
    precision: np.ndarray

    def __call__(self, scores):
        """Return the precision of scores, as float32."""
        return np.interp(scores, self.scores, self.precision).astype(np.float32)

    def find_scores(self, precision):
        """Return the lowest scores with the given precision, limited to the fitted scores."""
        levels, first = np.unique(self.precision, return_index=True)
        return np.interp(precision, levels, self.scores[first]).astype(np.float32)


def fit_precision_map(scores, is_true):
    """Fit a `PrecisionMap` by isotonic regression.

    Parameters
    ----------
    scores : ndarray of shape (n_pairs,)
        Finite scores of pairs of a row and a label; not empty.
    is_true : ndarray of shape (n_pairs,), bool
        Whether the label is correct.

    Returns
    -------
    PrecisionMap
    """
    # float64, because steps between two float32 scores must not become equal knots.
    steps = IsotonicRegression().fit(scores.astype(np.float64), is_true.astype(np.float64))
    return PrecisionMap(steps.X_thresholds_, steps.y_thresholds_)
