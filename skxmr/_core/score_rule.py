"""How margins become scores at each level, and how scores are shown.

The rule is built for each prediction, so that its parameters may be changed after `fit`.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit

from skxmr._core.levels import expand_to_levels
from skxmr._core.transforms import LOG_PROBABILITY, SHAPES, LevelTransform

# Smallest positive score. A score of 0 would vanish from a sparse matrix.
MIN_SCORE = np.finfo(np.float32).tiny

# With "log-", rankings show logarithms; their order is unchanged.
TRANSFORMS = (*SHAPES, *(f"log-{name}" for name in SHAPES if name != "identity"))


class ScoreForm(NamedTuple):
    """Meaning of the scores inside a model, and their form in results.

    Attributes
    ----------
    is_margin : bool
        Whether scores are sums of margins, interpreted as log-odds. Otherwise they are logarithms
        of probabilities.
    shows_logs : bool
        Whether rankings show logarithms instead of probabilities.
    """

    is_margin: bool
    shows_logs: bool

    def probabilities(self, scores):
        """Return scores as numbers from `MIN_SCORE` to 1; higher scores never become lower."""
        return np.maximum(expit(scores) if self.is_margin else np.exp(scores), MIN_SCORE)

    def log_probabilities(self, scores):
        """Return logarithms of the probabilities, not clipped to `MIN_SCORE`.

        Near 1, they are more precise than the logarithms of `probabilities(scores)`.
        """
        return log_expit(scores) if self.is_margin else scores

    def shown(self, scores):
        """Return scores in the form that rankings show."""
        return scores if self.is_margin or self.shows_logs else self.probabilities(scores)


class ScoreRule(NamedTuple):
    """Rule that turns the margins of all levels of one tree into the scores of its labels.

    Attributes
    ----------
    transforms : tuple of LevelTransform
        Transform of each level, from the root's children to the labels.
    form : ScoreForm
        Form of the scores of the labels.
    """

    transforms: tuple
    form: ScoreForm


class ScoreParams(NamedTuple):
    """Validated parameters of the score; `make_rule` applies them to a tree of any depth.

    Attributes
    ----------
    transforms : tuple of str
        Names of the transforms of the last levels. The first also applies to all levels above.
    propensity_weight : float
        Weight of the offsets of the labels; see `OneVsAllRanker`.
    path_weight : float
        Exponent of the scores of the clusters, in (0, 1].
    """

    transforms: tuple = ("l3-hinge",)
    propensity_weight: float = 0.0
    path_weight: float = 1.0

    def make_rule(self, has_probabilities):
        """Return the `ScoreRule` of a tree.

        Parameters
        ----------
        has_probabilities : tuple of bool
            For each level below the root, whether a custom estimator returns probabilities. They
            are used unchanged, without the transform of the level.

        Returns
        -------
        ScoreRule
        """
        return _make_rule(self, has_probabilities)

    @property
    def shows_logs(self):
        """Whether rankings show logarithms."""
        return any(name.startswith("log-") for name in self.transforms)


def check_score_params(score_transform, propensity_weight, path_weight):
    """Validate the parameters of the score.

    Parameters
    ----------
    score_transform : str or sequence of str
        One of `TRANSFORMS` for all levels, or a sequence. The last entry of a sequence is for the
        labels, the one before for the leaf clusters, and so on; the first also applies to all
        levels above. If it is longer than the tree has levels, its first entries are ignored.
    propensity_weight : float
        Weight of the offsets of the labels.
    path_weight : float
        Exponent of the scores of the clusters.

    Returns
    -------
    ScoreParams

    Raises
    ------
    ValueError
        If a transform is unknown, or only some of them are log- forms.
    """
    names = (score_transform,) if isinstance(score_transform, str) else tuple(score_transform)
    for name in names:
        if not isinstance(name, str) or name not in TRANSFORMS:
            raise ValueError(
                f"score_transform must be one of {TRANSFORMS} or a sequence of these; got {name!r}."
            )
    _check_names(names)
    return ScoreParams(names, float(propensity_weight), float(path_weight))


# Building a rule takes nearly as long as ranking a single row.
@lru_cache(maxsize=128)
def _make_rule(score_params, has_probabilities):
    n_levels = len(has_probabilities)
    shapes = [
        LOG_PROBABILITY if is_probability else SHAPES[name.removeprefix("log-")]
        for name, is_probability in zip(
            expand_to_levels(score_params.transforms, n_levels), has_probabilities, strict=True
        )
    ]
    offset_weights = [0.0] * (n_levels - 1) + [score_params.propensity_weight]
    weight = score_params.path_weight
    weights = [weight] * (n_levels - 1) + [1.0]
    path_weights = [1.0] * (n_levels - 1) + [weight]
    transforms = tuple(map(LevelTransform, shapes, offset_weights, weights, path_weights))
    return ScoreRule(transforms, ScoreForm(SHAPES["identity"] in shapes, score_params.shows_logs))


@lru_cache(maxsize=128)
def _check_names(names):
    if not names:
        raise ValueError("score_transform must name at least one transform; got an empty sequence.")
    logs = [name.startswith("log-") for name in names if name != "identity"]
    if any(logs) and not all(logs):
        raise ValueError(
            "score_transform must have log- forms on all levels or on none, because they decide "
            f"how the score of a label is shown; got {names}."
        )
