"""Maps from scores to probabilities, fitted to counts of pairs on a grid of log-odds.

The counts are all that is kept of the pairs, so memory does not grow with them. The grid is so
fine that a probability moves by less than 0.0003 within a cell.
"""

import numpy as np
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

# A float32 next to 1 has log-odds of 16.6. Scores as far on the other side are alike too: were
# they not, a few true labels far down the beam would decide the slope of the sigmoid.
_LARGEST = 1.0 - 2.0**-24
_BOUND = np.log(_LARGEST) - np.log1p(-_LARGEST)
_CELLS = 2**15
_WIDTH = 2 * _BOUND / _CELLS
# How much of the logarithm of the score is mixed into that of an isotonic probability.
_TIE_BREAK = 2.0**-10


def log_odds(scores):
    """Return log(s / (1 - s)) in float64, finite for scores in (0, 1]."""
    s = np.minimum(scores, _LARGEST, dtype=np.float64)
    return np.log(s) - np.log1p(-s)


def count_pairs(scores, hits):
    """Count the pairs in each cell of the grid, false ones in row 0 and true ones in row 1."""
    cells = ((log_odds(scores) + _BOUND) * (1 / _WIDTH)).astype(np.int64)
    np.clip(cells, 0, _CELLS - 1, out=cells)
    return np.bincount(cells + _CELLS * hits, minlength=2 * _CELLS).reshape(2, _CELLS)


class SigmoidMap:
    """Logistic regression on the log-odds of the score, with Platt's targets."""

    def __init__(self, counts):
        n_false, n_true = counts.sum(axis=1)
        cells = np.flatnonzero(counts.any(axis=0))
        x = _centres(cells)
        # A true pair has the target (n + 1) / (n + 2), not 1: separable pairs get no infinite
        # slope, and pairs of one kind only no infinite intercept.
        as_true = (n_true + 1) / (n_true + 2), 1 / (n_false + 2)
        counts = counts[:, cells]
        weight_true = counts[1] * as_true[0] + counts[0] * as_true[1]
        weight = np.concatenate([weight_true, counts.sum(axis=0) - weight_true])
        target = np.repeat([1, 0], len(cells))
        # Without pairs, or with one score only, there is no slope to learn.
        self.slope, self.intercept = 0.0, 0.0
        if len(cells) > 1:
            # No regularization. scikit-learn 1.8 warns about C=np.inf.
            model = LogisticRegression(C=1e300, solver="newton-cholesky", max_iter=1000, tol=1e-8)
            model.fit(np.tile(x, 2)[:, None], target, sample_weight=weight / weight.mean())
            self.slope, self.intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
        if self.slope <= 0:
            # Scores that say nothing, or the contrary: the ranking is not turned round.
            self.slope = 0.0
            self.intercept = float(np.log((n_true + 1) / (n_false + 1)))

    def __call__(self, scores):
        """Return the probabilities of scores in (0, 1]."""
        return expit(self.slope * log_odds(scores) + self.intercept)


class IsotonicMap:
    """The rising step function with the least squared error, slightly tilted to break its ties."""

    def __init__(self, counts):
        cells = np.flatnonzero(counts.any(axis=0))
        if not len(cells):
            cells = np.array([0])
        n_false, n_true = counts[:, cells].astype(np.float64)
        # Half a true pair at the lowest score and half a false one at the highest: no probability
        # is 0 or 1, however few pairs there are.
        n_true[0] += 0.5
        n_false[-1] += 0.5
        n = n_false + n_true
        steps = IsotonicRegression().fit(_centres(cells), n_true / n, sample_weight=n)
        self.x, self.y = steps.X_thresholds_, np.log(steps.y_thresholds_)

    def __call__(self, scores):
        """Return the probabilities of scores in (0, 1]."""
        step = np.interp(log_odds(scores), self.x, self.y)
        return np.exp(step + _TIE_BREAK * (np.log(scores, dtype=np.float64) - step))


SCORE_MAPS = {"isotonic": IsotonicMap, "sigmoid": SigmoidMap}


def _centres(cells):
    return (cells + 0.5) * _WIDTH - _BOUND
