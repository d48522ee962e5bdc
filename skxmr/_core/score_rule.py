"""How margins become scores, level by level, and in what form scores are shown.

Both act at prediction and are made anew for each call, so that an estimator's parameters may be
changed after the fit.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit

from skxmr._core.levels import by_level
from skxmr._core.transforms import GIVEN_LOGARITHM, SHAPES

# The least positive score: a stored score of 0 would be no entry.
LEAST_SCORE = np.finfo(np.float32).tiny

TRANSFORMS = (*SHAPES, *(f"log-{name}" for name in SHAPES if name != "identity"))
COMBINATIONS = ("product", "sum", "last")


class ScoreForm(NamedTuple):
    """What the scores of a model are, and how they are shown.

    Attributes
    ----------
    kind : {"log", "value", "margin"}
        What scores are inside: logarithms of probabilities, probabilities, or numbers without
        bounds, taken for log-odds.
    shows_logs : bool
        Whether rankings show logarithms as they are.
    """

    kind: str
    shows_logs: bool

    def probabilities(self, scores):
        """Return scores as numbers from the least positive one to 1; never falling."""
        if self.kind == "log":
            scores = np.exp(scores)
        elif self.kind == "margin":
            scores = expit(scores)
        return np.maximum(scores, LEAST_SCORE)

    def log_probabilities(self, scores):
        """Return the logarithms of what `probabilities` returns, and with more digits near 1."""
        if self.kind == "log":
            return scores
        if self.kind == "margin":
            return log_expit(scores)
        return np.log(np.maximum(scores, LEAST_SCORE))

    def shown(self, scores):
        """Return scores as rankings show them: margins and logarithms, if wanted, as they are."""
        if self.kind == "margin" or self.shows_logs:
            return scores
        return self.probabilities(scores)


class ScoreRule(NamedTuple):
    """How the margins of the levels of one tree become the scores of its labels.

    Attributes
    ----------
    transforms : tuple of tuple
        (shape, share, offset_weight) of each level, from the root's children to the labels, as
        `LevelModel.expand` takes them.
    label_only : bool
        Whether a label's score is its own, not joined to the score of its cluster.
    form : ScoreForm
        What these scores are.
    """

    transforms: tuple
    label_only: bool
    form: ScoreForm

    def start(self, cluster_scores):
        """Return the scores that those of the labels join."""
        return np.zeros_like(cluster_scores) if self.label_only else cluster_scores


class Scoring(NamedTuple):
    """What a user chose, checked: it makes the rule for a tree of any depth; see `check_scoring`.

    Attributes
    ----------
    transforms : tuple of str
        Names of the transforms of the last levels; the first also serves the levels above.
    combination : {"product", "sum", "last"}
        How the levels of a path join.
    propensity_weight : float
        Weight of the offsets of the labels; see `OneVsAllRanker`.
    """

    transforms: tuple = ("l3-hinge",)
    combination: str = "product"
    propensity_weight: float = 0.0

    def rule(self, given):
        """Return the `ScoreRule` of a tree.

        `given` says of each level below the root whether it has probabilities from an estimator of
        the user's own: no margins to transform.
        """
        return _make_rule(self, given)

    @property
    def shows_logs(self):
        """Whether rankings are wanted with logarithms."""
        return any(name.startswith("log-") for name in self.transforms)


def check_scoring(score_transform, score_combination, propensity_weight):
    """Raise if parameters of the score make no sense together.

    Parameters
    ----------
    score_transform : str or sequence of str
        One of `TRANSFORMS` for all levels, or some whose last is for the labels, the one before for
        the leaf clusters, and so on; the first is also for all levels above. Entries that a tree
        has no level for are unused.
    score_combination : {"product", "sum", "last"}
        How the levels of a path join.
    propensity_weight : float
        Weight of the offsets of the labels.

    Returns
    -------
    Scoring

    Raises
    ------
    ValueError
        If a transform is unknown, or parameters cannot be combined.
    """
    names = (score_transform,) if isinstance(score_transform, str) else tuple(score_transform)
    for name in names:
        if not isinstance(name, str) or name not in TRANSFORMS:
            raise ValueError(f"score_transform must be made of {TRANSFORMS}; got {name!r}.")
    scoring = Scoring(names, score_combination, float(propensity_weight))
    _check_combination(scoring)
    return scoring


# A single row is ranked in little more time than a rule is made.
@lru_cache(maxsize=128)
def _make_rule(scoring, given):
    n_levels = len(given)
    names = by_level(scoring.transforms, n_levels)
    shapes = [
        GIVEN_LOGARITHM if is_given else SHAPES[name.removeprefix("log-")]
        for name, is_given in zip(names, given, strict=True)
    ]
    share = 1.0 / n_levels if scoring.combination == "sum" else 0.0
    weights = [0.0] * (n_levels - 1) + [scoring.propensity_weight]
    transforms = tuple((shape, share, w) for shape, w in zip(shapes, weights, strict=True))
    label_only = scoring.combination == "last"
    bounded = "value" if scoring.combination == "sum" else "log"
    unbounded = SHAPES["identity"] in (shapes[-1:] if label_only else shapes)
    kind = "margin" if unbounded else bounded
    return ScoreRule(transforms, label_only, ScoreForm(kind, scoring.shows_logs))


@lru_cache(maxsize=128)
def _check_combination(scoring):
    names, combination, propensity_weight = scoring
    if not names:
        raise ValueError("score_transform must name at least one transform; got an empty sequence.")
    logs = [name.startswith("log-") for name in names if name != "identity"]
    if any(logs) and not all(logs):
        raise ValueError(
            "score_transform must have log- forms on all levels or on none, since they say how "
            f"whole scores are shown; got {names}."
        )
    if combination != "sum":
        return
    if "identity" in names:
        raise ValueError(
            'score_combination="sum" is a mean of values between 0 and 1, and "identity" has no '
            'bounds; score_combination="product" adds margins as they are.'
        )
    if any(logs):
        raise ValueError(
            'score_combination="sum" cannot add log- forms: that sum is what "product" shows.'
        )
    if propensity_weight:
        raise ValueError(
            f"propensity_weight={propensity_weight} scales products of scores; "
            'score_combination="sum" has none. Use "product" or "last".'
        )
