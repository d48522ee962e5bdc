"""Tuning of the parameters that act at prediction, with scores of held-out rows.

The margins of the labels that a few searches find are stored once for each row. The scores under
any parameters follow from them, so an evaluation takes milliseconds. One parameter after the other
is set to its best value, until none changes. A value is only taken if it is better than the old one
by two standard errors of the difference, because held-out rows are few and values many, and if
predictions confirm it: stored scores ignore that another transform leads to another beam.
"""

import copy
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from skxmr._core.estimators import find_topk_estimator
from skxmr._core.levels import expand_to_levels
from skxmr._core.score_rule import check_score_params
from skxmr._core.target_containers import holds_names, read_targets
from skxmr._core.targets import check_indicator
from skxmr.metrics import read_scored_targets
from skxmr.model_selection._held_out_rows import iterate_held_out
from skxmr.model_selection._tuning_objectives import MIN_STORED, N_GROUPS, read_objective

PATH_WEIGHTS = (1.0, 0.85, 0.7, 0.5, 0.35, 0.2, 0.1, 0.05)
TRANSFORMS = ("l1-hinge", "l2-hinge", "l3-hinge", "l4-hinge", "sigmoid")
PROPENSITY_WEIGHTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
# Rounds over all parameters. The fourth round never changed a parameter on the measured data.
MAX_ROUNDS = 3


def tune_prediction(estimator, X, y, *, scoring=None, cv="prefit", groups=None, params=None):
    """Choose the parameters that act at prediction, without fitting again.

    The parameters are `path_weight`, `score_transform` of each level, and `propensity_weight`; for
    F1, also the threshold. `beam_width` is kept, so set it first; a small `path_weight` gains more
    with a wider beam. The held-out rows are scored once, and the stored scores are combined again
    for each value: 5,000 rows take a few seconds and about 15 MB.

    A value is only chosen if it is better by more than two standard errors. Still, use a thousand
    held-out rows or more: with 50 rows, chance decides.

    Parameters
    ----------
    estimator : XRLinearClassifier, or Pipeline that ends with one
        Fitted classifier, which is not changed; or, with `cv`, any classifier, which is cloned and
        fitted for each split.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows. If the classifier is fitted, they must not be its training rows.
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        Indicator or classes. F1 needs an indicator.
    scoring : scorer or {"f1_micro", "f1_macro", "f1_samples"}, default=None
        Metric to maximize: a scorer made by `skxmr.metrics.topk_scorer`, or an F1, for which the
        best threshold is also chosen. None means nDCG at 5.
    cv : "prefit", int, splitter, iterable or None, default="prefit"
        With "prefit", the classifier is fitted, and all rows are held out. Otherwise splits as in
        `cross_validate`; None means 5 folds. Each needs a fit and the memory of a classifier.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, for splitters that keep groups together.
    params : dict or None, default=None
        Parameters of ``fit``. Values with one entry per row are indexed with the training rows.

    Returns
    -------
    tuned : Bunch
        Dictionary-like object, with attributes:

        best_params : dict
            Best values, for ``estimator.set_params(**tuned.best_params)``.
        best_score : float
            Value of the metric with these parameters, as predictions of the held-out rows have it;
            mean over the splits. It is higher than on new rows, because the values were chosen on
            these rows.
        initial_score : float
            The same with the parameters of `estimator`.
        threshold : float or None
            Score from which labels are predicted, for F1; None for other metrics.
        results : dict of list
            All values tried, in order: lists `params` and `score`. The scores are those of the
            stored labels; with a narrow beam or several trees, predictions can differ.

    Raises
    ------
    ValueError
        If a parameter is invalid; the estimator does not end with an `XRLinearClassifier`, or this
        has a custom matcher or ranker; a split has fewer than two rows, or there is none; `y` holds
        classes and `scoring` is F1; or `y` has another number of columns than the targets of the
        fitted classifier.
    NotFittedError
        If the estimator is not fitted, with "prefit".

    See Also
    --------
    beam_width_curve : Score and prediction time for several beam widths.
    skxmr.calibration.TunedThresholdMultilabelClassifierCV : A classifier with tuned thresholds.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.model_selection import tune_prediction
    >>> X, Y = make_extreme_multilabel(n_samples=1500, n_labels=300, random_state=0)
    >>> model = XRLinearClassifier(max_leaf_size=20, random_state=0).fit(X[:1000], Y[:1000])
    >>> tuned = tune_prediction(model, X[1000:], Y[1000:], scoring="f1_micro")
    >>> tuned.best_params
    {'path_weight': 'auto', 'score_transform': 'l3-hinge', 'propensity_weight': 0.0}
    >>> round(tuned.best_score, 2), round(tuned.threshold, 3)
    (0.34, 0.022)
    >>> predicted = model.set_params(**tuned.best_params).predict_proba(X) >= tuned.threshold
    """
    objective = read_objective(scoring)
    ranker, prefix = _find_classifier(estimator)
    y = read_targets(y)
    if y.ndim == 1 and not holds_names(y) and not objective.accepts_classes:
        raise ValueError(
            f"scoring must be a ranking metric if y holds classes; got {scoring!r}. Use "
            'topk_scorer("precision", k=1), which is the accuracy.'
        )
    splits = [
        _store_split(model, X_test, y_test, objective)
        for model, X_test, y_test in iterate_held_out(
            estimator, ranker, X, y, cv=cv, groups=groups, params=params
        )
    ]
    if not splits:
        raise ValueError("cv must have at least one split; got none.")
    search = _Search(splits, objective)
    initial = Values.of(ranker, search.n_levels)
    initial_evaluation = search.measure(initial)
    best, evaluation = search.run(initial, initial_evaluation)
    return Bunch(
        best_params={f"{prefix}{name}": value for name, value in best.as_params().items()},
        best_score=evaluation.score,
        initial_score=initial_evaluation.score,
        threshold=evaluation.threshold,
        results={
            "params": [values.as_params() for values in search.evaluations],
            "score": [evaluation.score for evaluation in search.evaluations.values()],
        },
    )


class Values(NamedTuple):
    """Values of the tuned parameters.

    Attributes
    ----------
    path_weight : float or "auto"
        As in the classifier.
    transforms : tuple of str
        Transform of each level.
    propensity_weight : float
        As in the classifier.
    """

    path_weight: object
    transforms: tuple
    propensity_weight: float

    @classmethod
    def of(cls, ranker, n_levels):
        """Return the values of a classifier, for a tree of any depth up to `n_levels`."""
        transforms = ranker.score_transform
        transforms = list(transforms) if isinstance(transforms, tuple) else transforms
        transforms = tuple(expand_to_levels(transforms, n_levels))
        return cls(ranker.path_weight, transforms, ranker.propensity_weight)

    @property
    def prefix(self):
        """Prefix of all transforms: "log-", or nothing."""
        return "log-" if any(name.startswith("log-") for name in self.transforms) else ""

    def with_transform(self, level, name):
        """Return the values with another transform of one level, in the form of the others."""
        transforms = list(self.transforms)
        transforms[level] = f"{self.prefix}{name}"
        return self._replace(transforms=tuple(transforms))

    def score_params(self, ranker):
        """Return the `ScoreParams` of a fitted classifier with these values."""
        path_weight = ranker._used_path_weight(self.path_weight, self.transforms)
        return check_score_params(self.transforms, self.propensity_weight, path_weight)

    def as_params(self):
        """Return the parameters of a classifier with these values."""
        *clusters, labels = self.transforms
        while len(clusters) > 1 and clusters[0] == clusters[1]:
            del clusters[0]  # the first one is also for the levels above
        is_uniform = all(name == labels for name in clusters)
        return {
            "path_weight": self.path_weight,
            "score_transform": labels if is_uniform else (*clusters, labels),
            "propensity_weight": self.propensity_weight,
        }


class _Split(NamedTuple):
    """Held-out rows of one split.

    Attributes
    ----------
    ranker : XRLinearClassifier
        Fitted classifier.
    X : array-like or sparse matrix
        Rows, as the classifier accepts them.
    Y : csr_array
        Indicator of the true labels.
    groups : list of slice
        Rows of each group.
    n_labels : int
        Number of labels per row that the objective depends on.
    n_stored : int
        This number for nearly all rows. Rows with very many labels would make the search slow.
    stored : StoredScores
        Scores of the rows.
    """

    ranker: object
    X: object
    Y: sp.csr_array
    groups: list
    n_labels: int
    n_stored: int
    stored: object


def _find_classifier(estimator):
    # The classifier at the end of nested pipelines, and the prefix of its parameters.
    prefix, last = "", estimator
    while isinstance(last, Pipeline):
        name, last = last.steps[-1]
        prefix += f"{name}__"
    if not hasattr(type(last), "_store_scores"):
        raise ValueError(
            "estimator must be an XRLinearClassifier, or a pipeline that ends with one; got "
            f"{estimator!r}. For other estimators, tune the XRLinearClassifier inside them, with "
            "the rows that it is given."
        )
    for name in ("matcher", "ranker"):
        if getattr(last, name) is not None:
            raise ValueError(
                f"{name} of the classifier must be None, because scores of linear models are "
                f"stored; got {getattr(last, name)!r}. Use GridSearchCV."
            )
    return last, prefix


def _plan_searches(initial):
    # Searches whose best labels include those of most parameters: the beam is the same for every
    # path weight, but another one for other transforms of the clusters.
    prefix = "log-" if initial.shows_logs else ""
    return [
        *(initial._replace(path_weight=weight) for weight in (1.0, 0.3, 0.05)),
        initial._replace(propensity_weight=0.5),
        *(
            initial._replace(transforms=(f"{prefix}{transform}", initial.transforms[-1]))
            for transform in ("l1-hinge", "l2-hinge", "l4-hinge")
        ),
    ]


def _store_split(model, X, y, objective):
    ranker, transformers = find_topk_estimator(model)
    Y = check_indicator(read_scored_targets(ranker, y))
    if Y.shape[0] < 2:
        raise ValueError(f"X must have at least 2 held-out rows per split; got {Y.shape[0]}.")
    for transformer in transformers:
        X = transformer.transform(X)
    n_labels, n_stored = objective.count_labels(Y), objective.count_labels(Y, quantile=0.99)
    searches = _plan_searches(ranker._score_params())
    stored = ranker._store_scores(X, searches, max(MIN_STORED, n_stored))
    edges = np.linspace(0, Y.shape[0], min(N_GROUPS, Y.shape[0]) + 1).astype(int)
    groups = [slice(start, stop) for start, stop in pairwise(edges)]
    return _Split(ranker, X, Y, groups, n_labels, n_stored, stored)


class _Search:
    """Coordinate ascent over the parameters of the score.

    Parameters
    ----------
    splits : list of _Split
        Held-out rows.
    objective : RankingObjective or F1Objective
        Objective that is maximized.
    """

    def __init__(self, splits, objective):
        self.splits, self.objective = splits, objective
        self.n_levels = max(split.stored.n_levels for split in splits)
        self.evaluations = {}

    def run(self, initial, evaluation):
        """Return the best values, and the `Evaluation` of predictions with them."""
        best = initial
        for _ in range(MAX_ROUNDS):
            before = best
            for list_values in self._coordinates():
                best, evaluation = self._take_best(best, evaluation, list_values(best))
            if best == before:
                break
        return best, evaluation

    def measure(self, values):
        """Return the `Evaluation` of predictions with the given values."""
        rankings = []
        for split in self.splits:
            current = copy.copy(split.ranker).set_params(**values.as_params())
            rankings.append(current._rank_best(split.X, split.n_labels))
        return self._evaluate(rankings, values)

    def _coordinates(self):
        # Functions that list all values of one parameter, given those of the others.
        yield lambda best: [best._replace(path_weight=weight) for weight in PATH_WEIGHTS]
        for level in reversed(range(self.n_levels)):
            yield lambda best, level=level: [best.with_transform(level, t) for t in TRANSFORMS]
        yield lambda best: [best._replace(propensity_weight=w) for w in PROPENSITY_WEIGHTS]

    def _take_best(self, best, evaluation, candidates):
        found = max(candidates, key=lambda each: self._evaluate_stored(each).score)
        if not self._evaluate_stored(found).clearly_exceeds(self._evaluate_stored(best)):
            return best, evaluation
        predicted = self.measure(found)
        return (found, predicted) if predicted.score > evaluation.score else (best, evaluation)

    def _evaluate_stored(self, values):
        if values not in self.evaluations:
            rankings = [
                split.stored.rank(values.score_params(split.ranker), split.n_stored)
                for split in self.splits
            ]
            self.evaluations[values] = self._evaluate(rankings, values)
        return self.evaluations[values]

    def _evaluate(self, rankings, values):
        forms = [
            split.ranker._model.score_form(values.score_params(split.ranker))
            for split in self.splits
        ]
        return self.objective.evaluate(rankings, self.splits, forms)
