"""How margins become scores, level by level, and in what form scores are shown.

A rule acts at prediction and is made anew for each call, so that an estimator's parameters may be
changed after the fit.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit

from skxmr._core._transforms import SHAPES

# The least positive score: a stored score of 0 would be no entry.
LEAST_SCORE = np.finfo(np.float32).tiny

TRANSFORMS = (*SHAPES, *(f"log-{name}" for name in SHAPES if name != "identity"))
COMBINATIONS = ("product", "sum", "last")


class ScoreRule(NamedTuple):
    """The transforms of a tree's levels, and what their combination means.

    Attributes
    ----------
    transforms : tuple of tuple
        (shape, share, offset_weight) of each level, from the root's children to the labels, as
        `LevelModel.expand` takes them.
    label_only : bool
        Whether a label's score is its own, not joined to the score of its cluster.
    form : {"log", "value", "margin"}
        What scores are inside: logarithms of probabilities, probabilities, or numbers without
        bounds, taken for log-odds.
    shows_logs : bool
        Whether rankings show logarithms as they are.
    """

    transforms: tuple
    label_only: bool
    form: str
    shows_logs: bool

    def start(self, cluster_scores):
        """Return the scores that those of the labels join."""
        return np.zeros_like(cluster_scores) if self.label_only else cluster_scores

    def probabilities(self, scores):
        """Return scores as numbers from the least positive one to 1; never falling."""
        if self.form == "log":
            scores = np.exp(scores)
        elif self.form == "margin":
            scores = expit(scores)
        return np.maximum(scores, LEAST_SCORE)

    def log_probabilities(self, scores):
        """Return the logarithms of what `probabilities` returns, and with more digits near 1."""
        if self.form == "log":
            return scores
        if self.form == "margin":
            return log_expit(scores)
        return np.log(np.maximum(scores, LEAST_SCORE))

    def shown(self, scores):
        """Return scores as rankings show them: margins and logarithms, if wanted, as they are."""
        if self.form == "margin" or self.shows_logs:
            return scores
        return self.probabilities(scores)


def score_rule(score_transform, score_combination, propensity_weight, n_levels):
    """Make the rule for a tree; raise if the parameters make no sense together.

    Parameters
    ----------
    score_transform : str or sequence of str
        One of `TRANSFORMS` for all levels, or one for each of the last levels, the labels' last;
        the first also serves the levels above. Entries that the tree has no level for are unused.
    score_combination : {"product", "sum", "last"}
        How the levels of a path join.
    propensity_weight : float
        Weight of the offsets of the labels; see `OneVsAllRanker`.
    n_levels : int
        Number of levels below the root.

    Returns
    -------
    ScoreRule

    Raises
    ------
    ValueError
        If a transform is unknown, or parameters cannot be combined.
    """
    names = (score_transform,) if isinstance(score_transform, str) else tuple(score_transform)
    for name in names:
        if not isinstance(name, str) or name not in TRANSFORMS:
            raise ValueError(f"score_transform must be made of {TRANSFORMS}; got {name!r}.")
    return _make_rule(names, score_combination, float(propensity_weight), n_levels)


# A single row is ranked in less time than a rule is made.
@lru_cache(maxsize=128)
def _make_rule(names, combination, propensity_weight, n_levels):
    if not names:
        raise ValueError("score_transform must name at least one transform; got an empty sequence.")
    bounded = {name for name in names if name != "identity"}
    logs = {name for name in bounded if name.startswith("log-")}
    if logs and logs != bounded:
        raise ValueError(
            "score_transform must have log- forms on all levels or on none, since they say how "
            f"whole scores are shown; got {names}."
        )
    if combination == "sum":
        _check_sum(names, logs, propensity_weight)
    names = (names[:1] * n_levels + names)[-n_levels:]
    share = 1.0 / n_levels if combination == "sum" else 0.0
    weights = (0.0,) * (n_levels - 1) + (propensity_weight,)
    transforms = tuple(
        (SHAPES[name.removeprefix("log-")], share, weight)
        for name, weight in zip(names, weights, strict=True)
    )
    joined = names[-1:] if combination == "last" else names
    bounded_form = "value" if combination == "sum" else "log"
    form = "margin" if "identity" in joined else bounded_form
    return ScoreRule(transforms, combination == "last", form, bool(logs))


def _check_sum(names, logs, propensity_weight):
    if "identity" in names:
        raise ValueError(
            'score_combination="sum" is a mean of values between 0 and 1, and "identity" has no '
            'bounds; score_combination="product" adds margins as they are.'
        )
    if logs:
        raise ValueError(
            'score_combination="sum" cannot add log- forms: that sum is what "product" shows.'
        )
    if propensity_weight:
        raise ValueError(
            f"propensity_weight={propensity_weight} scales products of scores; "
            'score_combination="sum" has none. Use "product" or "last".'
        )
