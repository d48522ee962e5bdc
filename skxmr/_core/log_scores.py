"""Log scores that are not those of the linear models: of own estimators, or of several trees."""

import numpy as np

from skxmr._core.score_forms import OUTSIDE
from skxmr._core.score_rule import LEAST_SCORE

_SHIFT = np.float32(4.0)


def on_grid(logs):
    """Round log scores as the linear models do, so that a ranking by logs is one by scores.

    Parameters
    ----------
    logs : ndarray
        Log scores, at most 0.

    Returns
    -------
    ndarray of float32
        Steps of 2**-21 near 0, where a float32 score has coarser ones than its log; never below
        the score of labels that are never matched.
    """
    return np.maximum((np.asarray(logs, dtype=np.float32) - _SHIFT) + _SHIFT, OUTSIDE)


def log_probabilities(probabilities):
    """Return the logs of probabilities, clipped to what float32 can hold above 0, and to 1."""
    return on_grid(np.log(np.clip(probabilities, float(LEAST_SCORE), 1.0)))
