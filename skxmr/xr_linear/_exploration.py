"""Draw one of the labels to show at random, with exact propensities.

Feedback exists only for labels that were shown. If a model always shows its best labels, it never
learns about the others. Inverse-gap weighting (Foster, Rakhlin 2020, "Beyond UCB: Optimal and
Efficient Contextual Bandits with Regression Oracles", ICML) draws a label with a probability that
decreases with the gap between its score and the best score. Sen et al. (2021), "Top-k eXtreme
Contextual Bandits with Arm Hierarchy", ICML, use it for k places: the best labels have the first
places, and the remaining places are drawn. Here, the last place is drawn. With several draws
without replacement, a propensity would be a sum over all orders of the draws.
"""

from numbers import Integral, Real

import numpy as np


def check_exploration(k, n_candidates, gamma):
    """Raise a ValueError if a parameter of `sample_topk` is out of range."""
    for name, value, minimum in (("k", k, 1), ("n_candidates", n_candidates, k)):
        is_integer = isinstance(value, Integral) and not isinstance(value, bool)
        if not is_integer or value < minimum:
            bound = "1" if name == "k" else f"k={k}"
            raise ValueError(f"{name} must be an integer >= {bound}; got {value!r}.")
    if not isinstance(gamma, Real) or isinstance(gamma, bool) or not 0 <= gamma < np.inf:
        raise ValueError(f"gamma must be a finite number >= 0; got {gamma!r}.")


def draw_last_place(labels, scores, k, gamma, uniform):
    """Keep the k - 1 best labels of each row, and draw one of the others.

    Of n other labels with scores s, the best of which has the score t, a label is drawn with the
    probability 1 / (n + gamma * (t - s)). The best one has the rest of the probability.

    Parameters
    ----------
    labels : ndarray of shape (n_rows, n_candidates), int32
        Candidates of each row, best first; -1 after the last one.
    scores : ndarray of shape (n_rows, n_candidates)
        Scores from 0 to 1; ignored where the label is -1.
    k : int
        Number of labels to show, at most n_candidates.
    gamma : float
        Weight of the gaps.
    uniform : ndarray of shape (n_rows,)
        Random number in [0, 1) for each row.

    Returns
    -------
    shown : ndarray of shape (n_rows, k), int32
        Labels, -1 where there are fewer.
    propensities : ndarray of shape (n_rows, k), float64
        Probabilities of the labels to be shown; 0 where the label is -1.
    """
    is_label = labels[:, k - 1 :] >= 0
    rest = np.where(is_label, scores[:, k - 1 :].astype(np.float64), 0.0)
    n_rest = is_label.sum(axis=1)
    chances = is_label / (np.maximum(n_rest, 1)[:, None] + gamma * (rest[:, :1] - rest))
    chances[:, 0] += is_label[:, 0] - chances.sum(axis=1)
    # Rounding may leave the sum of all chances just below `uniform`.
    drawn = (np.cumsum(chances, axis=1) <= uniform[:, None]).sum(axis=1)
    drawn = np.minimum(drawn, np.maximum(n_rest - 1, 0))
    shown = labels[:, :k].copy()
    propensities = (shown >= 0).astype(np.float64)
    rows = np.arange(len(labels))
    shown[:, -1] = labels[rows, k - 1 + drawn]
    propensities[:, -1] = chances[rows, drawn]
    return shown, propensities
