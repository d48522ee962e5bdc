"""Maps from scores to probabilities, fitted to counts of pairs on a grid of log-odds.

Only the counts are stored, so memory does not grow with the number of pairs. Within a cell of the
grid, a probability changes by less than 0.0003.
"""

import numpy as np
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

# The largest float32 below 1 has log-odds of 16.6. The grid ends at -16.6 too: otherwise a few true
# labels with extremely small scores would determine the slope of the sigmoid.
_MAX_SCORE = 1.0 - 2.0**-24
_MAX_LOG_ODDS = np.log(_MAX_SCORE) - np.log1p(-_MAX_SCORE)
_N_CELLS = 2**15
_CELL_WIDTH = 2 * _MAX_LOG_ODDS / _N_CELLS
# Weight of the logarithm of the score in the logarithm of an isotonic probability.
_TIE_BREAK_WEIGHT = 2.0**-10
# Inverse regularization of the sigmoid: none. scikit-learn 1.8 warns about C=np.inf.
_NO_REGULARIZATION_C = 1e300


def log_odds(scores):
    """Return log(s / (1 - s)) in float64, finite for scores in (0, 1]."""
    s = np.minimum(scores, _MAX_SCORE, dtype=np.float64)
    return np.log(s) - np.log1p(-s)


def count_pairs(scores, is_true):
    """Count the pairs per cell of the grid; row 0 has the false pairs, row 1 the true pairs."""
    cells = ((log_odds(scores) + _MAX_LOG_ODDS) * (1 / _CELL_WIDTH)).astype(np.int64)
    np.clip(cells, 0, _N_CELLS - 1, out=cells)
    return np.bincount(cells + _N_CELLS * is_true, minlength=2 * _N_CELLS).reshape(2, _N_CELLS)


class SigmoidMap:
    """Logistic regression on the log-odds of the score, with Platt's targets."""

    def __init__(self, counts):
        n_false, n_true = counts.sum(axis=1)
        cells = np.flatnonzero(counts.any(axis=0))
        x = _cell_centers(cells)
        # Platt's targets: (n_true + 1) / (n_true + 2) for a true pair and 1 / (n_false + 2) for a
        # false pair. They keep the slope finite if the pairs are separable, and the intercept
        # finite if all pairs are true or all are false.
        target_of_true, target_of_false = (n_true + 1) / (n_true + 2), 1 / (n_false + 2)
        counts = counts[:, cells]
        weight_true = counts[1] * target_of_true + counts[0] * target_of_false
        weight = np.concatenate([weight_true, counts.sum(axis=0) - weight_true])
        target = np.repeat([1, 0], len(cells))
        # A slope can only be fitted if there are at least two different scores.
        self.slope, self.intercept = 0.0, 0.0
        if len(cells) > 1:
            model = LogisticRegression(
                C=_NO_REGULARIZATION_C, solver="newton-cholesky", max_iter=1000, tol=1e-8
            )
            model.fit(np.tile(x, 2)[:, None], target, sample_weight=weight / weight.mean())
            self.slope, self.intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
        if self.slope <= 0:
            # Uninformative or inverse scores: use a constant, so that no ranking is reversed.
            self.slope = 0.0
            self.intercept = float(np.log((n_true + 1) / (n_false + 1)))

    @classmethod
    def from_attributes(cls, slope, intercept):
        """Return the map with a slope and an intercept."""
        score_map = cls.__new__(cls)
        score_map.slope, score_map.intercept = slope, intercept
        return score_map

    def __call__(self, scores):
        """Return the probabilities of scores in (0, 1]."""
        return expit(self.slope * log_odds(scores) + self.intercept)


class IsotonicMap:
    """Increasing step function with the least squared error; steps are tilted to break ties."""

    def __init__(self, counts):
        cells = np.flatnonzero(counts.any(axis=0))
        if not len(cells):
            cells = np.array([0])
        n_false, n_true = counts[:, cells].astype(np.float64)
        # Half a true pair at the lowest score and half a false pair at the highest keep all
        # probabilities between 0 and 1, even with few pairs.
        n_true[0] += 0.5
        n_false[-1] += 0.5
        n = n_false + n_true
        steps = IsotonicRegression().fit(_cell_centers(cells), n_true / n, sample_weight=n)
        self.x, self.y = steps.X_thresholds_, np.log(steps.y_thresholds_)

    @classmethod
    def from_attributes(cls, x, y):
        """Return the map with log-odds `x` of scores and logarithms `y` of probabilities."""
        score_map = cls.__new__(cls)
        score_map.x, score_map.y = x, y
        return score_map

    def __call__(self, scores):
        """Return the probabilities of scores in (0, 1]."""
        step = np.interp(log_odds(scores), self.x, self.y)
        return np.exp(step + _TIE_BREAK_WEIGHT * (np.log(scores, dtype=np.float64) - step))


SCORE_MAPS = {"isotonic": IsotonicMap, "sigmoid": SigmoidMap}


def _cell_centers(cells):
    return (cells + 0.5) * _CELL_WIDTH - _MAX_LOG_ODDS
