"""Scorers for model selection that keep sparse targets sparse.

The scorers of scikit-learn call ``type_of_target`` first. It classifies a sparse target with one or
two columns as binary, and sorts all classes of a large target. The scorers of this module skip
that check.
"""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.metadata_routing import MetadataRequest

from skxmr._core.arrays import offsets_of, plain_value
from skxmr._core.estimators import find_topk_estimator, predict_topk_of
from skxmr._core.label_names import binarize_names
from skxmr._core.target_containers import holds_names, read_targets
from skxmr._core.targets import check_n_labels
from skxmr.metrics._candidates import as_indicator
from skxmr.metrics._label_counts import coverage_at_k, macro_f1_at_k
from skxmr.metrics._propensity import (
    check_propensities,
    psndcg_at_k,
    psprecision_at_k,
    psrecall_at_k,
)
from skxmr.metrics._ranking import check_k, hits_at_k, ndcg_at_k, precision_at_k, recall_at_k

_METRICS = {
    "precision": precision_at_k,
    "recall": recall_at_k,
    "hits": hits_at_k,
    "ndcg": ndcg_at_k,
    "coverage": coverage_at_k,
    "macro_f1": macro_f1_at_k,
    "psprecision": psprecision_at_k,
    "psrecall": psrecall_at_k,
    "psndcg": psndcg_at_k,
}
_METRICS_OF_LABELS = ("coverage", "macro_f1")
_METRICS_WITH_PROPENSITIES = ("psprecision", "psrecall", "psndcg")


def topk_scorer(metric="precision", k=1, *, propensities=None):
    """Make a scikit-learn scorer from a ranking metric.

    The scorer is called as ``scorer(estimator, X, y)``. Use it for the parameter ``scoring`` of
    scikit-learn, for example in ``GridSearchCV`` or ``cross_validate``, alone or in a dict of
    scorers. It can be pickled.

    A call may also have the keyword arguments `sample_weight` and `ignore` of the metrics. For
    model selection, enable the metadata routing of scikit-learn and request them, for example with
    ``scorer.set_score_request(sample_weight=True)``. Without a request, a `sample_weight` for the
    fit does not change the scores.

    The labels are ranked by ``estimator.predict_topk(X, k)`` if the estimator has this method,
    otherwise by ``predict_proba`` or ``decision_function``. If the last step of a ``Pipeline`` has
    ``predict_topk``, the other steps transform `X` first. For a fitted search, the scorer uses
    ``best_estimator_``.

    Parameters
    ----------
    metric : {"precision", "recall", "hits", "ndcg", "coverage", "macro_f1", "psprecision", \
            "psrecall", "psndcg"}, default="precision"
        Name of the metric: the function ``<metric>_at_k`` of this module is used.
    k : int, default=1
        Number of labels to evaluate per row. ``predict_topk`` computes only `k` labels, so scoring
        is fast if `k` is small.
    propensities : array-like of shape (n_labels,), default=None
        Label propensities, required by "psprecision", "psrecall" and "psndcg" and invalid for
        other metrics. Estimate them once from all training labels, so that they do not depend on
        the split.

    Returns
    -------
    callable
        Scorer with values in [0, 1]; greater is better. Its `y` is an indicator of shape
        (n_samples, n_labels), sparse or dense, or a one-dimensional array of the classes in
        ``estimator.classes_``. For classes, "precision" at 1 is accuracy and "recall" is top-k
        accuracy. Rows of a class that the estimator does not know are misses; the metrics with
        propensities ignore them.

    Raises
    ------
    TypeError
        If `k` is not an integer. When the scorer is called: if the estimator has none of the three
        methods, or returns a list of arrays.
    ValueError
        If `metric` is unknown, `k` is less than 1, or `propensities` are missing, not applicable
        or outside (0, 1]. When the scorer is called: as the metrics; if `y` has another number of
        columns than the estimator has classes; or if all classes in `y` are unknown.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skxmr.metrics import topk_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> scorer = topk_scorer("recall", k=2)
    >>> scorer
    topk_scorer('recall', k=2)
    >>> cross_val_score(GaussianNB(), X, y, scoring=scorer, cv=3)
    array([1., 1., 1.])
    >>> topk_scorer()(GaussianNB().fit(X, y), X, y, sample_weight=y == 0)
    1.0
    """
    if metric not in _METRICS:
        raise ValueError(f"metric must be one of {list(_METRICS)}; got {metric!r}.")
    check_k(k)
    if (propensities is not None) != (metric in _METRICS_WITH_PROPENSITIES):
        raise ValueError(
            f"propensities must be passed for the metrics {list(_METRICS_WITH_PROPENSITIES)}, and "
            f"only for them; got metric {metric!r} "
            f"{'without' if propensities is None else 'with'} propensities."
        )
    if propensities is not None:
        propensities = check_propensities(propensities)
    return TopkScorer(metric, int(k), propensities)


class TopkScorer:
    """The immutable scorer that `topk_scorer` returns."""

    def __init__(self, metric, k, propensities, requests=None):
        self._metric = metric
        self._k = k
        self._propensities = propensities
        self._requests = {} if requests is None else requests

    def __repr__(self):
        suffix = ""
        if self._propensities is not None:
            suffix = f", propensities=<{len(self._propensities)} values>"
        return f"topk_scorer({self._metric!r}, k={self._k}{suffix})"

    def __sklearn_clone__(self):
        # The scorer is immutable, so a copy of all propensities is not needed.
        return self

    def __call__(self, estimator, X, y, *, ignore=None, sample_weight=None):
        """Score the predictions of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with `predict_topk`, `predict_proba` or `decision_function`.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows.
        y : array-like or sparse matrix
            True labels or classes of the rows, see `topk_scorer`.
        ignore : array-like or sparse matrix, default=None
            (row, label) pairs to leave out: an indicator with a column per class of the estimator,
            or lists of labels if `y` has lists of labels. ``predict_topk`` is called with a larger
            `k`, so that `k` labels per row are left.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as of the metric.

        Returns
        -------
        float
            Value of the metric.
        """
        y, ignored = _read_pairs(estimator, y, ignore)
        n_ignored = 0 if ignored is None else int(np.diff(ignored.indptr).max(initial=0))
        scores = score_labels(estimator, X, self._k + n_ignored)
        return self.score_ranking(y, scores, ignore=ignored, sample_weight=sample_weight)

    def score_ranking(self, y, scores, *, ignore=None, sample_weight=None):
        """Return the metric of an indicator and scores, in a form that the metrics accept."""
        kwargs = {} if self._propensities is None else {"propensities": self._propensities}
        return _METRICS[self._metric](
            y, scores, self._k, ignore=ignore, sample_weight=sample_weight, **kwargs
        )

    def set_score_request(self, **requests):
        """Return a scorer that requests metadata, as the scorers of scikit-learn do.

        Parameters
        ----------
        **requests : dict of str to bool, str or None
            For `sample_weight` and `ignore`: True to request it, False to ignore it, None to raise
            an error if it is passed, or its name among the arguments of the caller.

        Returns
        -------
        TopkScorer
            New scorer; this one is not changed.

        Raises
        ------
        TypeError
            If another name is passed.
        """
        unknown = set(requests) - {"ignore", "sample_weight"}
        if unknown:
            raise TypeError(
                f"requests must be for 'ignore' or 'sample_weight'; got {sorted(unknown)}."
            )
        return TopkScorer(self._metric, self._k, self._propensities, self._requests | requests)

    def get_metadata_routing(self):
        """Return the `MetadataRequest` of the scorer."""
        request = MetadataRequest(owner=repr(self))
        for name in ("ignore", "sample_weight"):
            request.score.add_request(param=name, alias=self._requests.get(name, False))
        return request

    @property
    def k(self):
        """Number of labels per row."""
        return self._k

    @property
    def averages_labels(self):
        """Whether the metric is a mean over labels, not over rows."""
        return self._metric in _METRICS_OF_LABELS


def read_scored_targets(estimator, y):
    """Return `y` as an indicator with a column per class of a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator. The width of `y` is not checked if it has no 1-D array `classes_`.
    y : array-like, sparse matrix, DataFrame or Series
        Indicator, labels of each row, or classes.

    Returns
    -------
    ndarray or sparse matrix of shape (n_samples, n_labels)
        With further columns for labels that the estimator does not know.

    Raises
    ------
    ValueError
        If `y` cannot be read, has another number of columns than the estimator has classes, or
        holds classes that are all unknown.
    """
    y = read_targets(y)
    classes = getattr(estimator, "classes_", None)
    has_classes = isinstance(classes, np.ndarray) and classes.ndim == 1
    if holds_names(y) and has_classes:
        # Labels that the estimator does not know are misses.
        return binarize_names(y, classes)
    if y.ndim == 1:
        if not has_classes:
            raise ValueError(
                "y must be an indicator of shape (n_samples, n_labels), or hold classes of an "
                f"estimator with classes_; got shape {y.shape} for {type(estimator).__name__}."
            )
        ranker, _ = find_topk_estimator(estimator)
        if getattr(ranker, "_target_kind", "classes") != "classes":
            raise ValueError(
                f"y must be an indicator of shape (n_samples, {len(classes)}), as in the fit; got "
                f"shape {y.shape}."
            )
        return _binarize_classes(classes, y)
    if has_classes:
        check_n_labels(y, len(classes))
    return y


def _read_pairs(estimator, y, ignore):
    """Return `y` as an indicator, and `ignore` as an `Indicator` or None, with equal columns."""
    if ignore is None:
        return read_scored_targets(estimator, y), None
    ignored = read_targets(ignore, "ignore")
    if not holds_names(ignored):
        return read_scored_targets(estimator, y), as_indicator(ignored, "ignore")
    y = read_targets(y)
    if not holds_names(y) or len(y) != len(ignored):
        raise ValueError(
            "ignore must be an indicator unless y has a list of labels per row, and must have the "
            f"rows of y; got {len(ignored)} lists of labels."
        )
    # Labels that the estimator does not know need the same additional columns in both.
    both = read_scored_targets(estimator, np.concatenate([y, ignored]))
    return both[: len(y)], as_indicator(both[len(y) :], "ignore")


def _binarize_classes(classes, y):
    """Return the indicator of one-dimensional `y`, with a column per class.

    The row of an unknown class is empty, so it counts as a miss. In cross-validation, rare classes
    can be missing in the training rows.
    """
    is_known = np.zeros(len(y), dtype=bool)
    # numpy cannot compare strings with numbers.
    if _has_strings(classes) == _has_strings(y):
        # classes_ is sorted in all scikit-learn estimators.
        columns = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
        is_known = classes[columns] == y
    if len(y) and not is_known.any():
        raise ValueError(
            "y must contain classes of the estimator; got only unknown ones such as "
            f"{plain_value(y[0])!r}."
        )
    indptr = offsets_of(is_known)
    ones = np.ones(indptr[-1], dtype=np.int8)
    return sp.csr_array((ones, columns[is_known], indptr), shape=(len(y), len(classes)))


def _has_strings(values):
    is_object = values.dtype.kind == "O" and len(values) > 0
    return values.dtype.kind in "SU" or (is_object and isinstance(values[0], str))


def score_labels(estimator, X, k):
    """Return the scores of at least the k best labels per row, in a form that the metrics accept.

    The method is predict_topk, predict_proba or decision_function, whichever comes first.
    """
    ranker, _ = find_topk_estimator(estimator)
    if ranker is not None:
        return tuple(predict_topk_of(estimator, X, k))
    for name in ("predict_proba", "decision_function"):
        if hasattr(estimator, name):
            break
    else:
        raise TypeError(
            "estimator must have predict_topk, predict_proba or decision_function; got "
            f"{type(estimator).__name__}."
        )
    scores = getattr(estimator, name)(X)
    if isinstance(scores, (list, tuple)):
        raise TypeError(
            f"{name} of the estimator must return one array; got a {type(scores).__name__} from "
            f"{type(estimator).__name__}."
        )
    if scores.ndim == 1:  # of one label, or of the second of two classes
        n_classes = len(getattr(estimator, "classes_", ()))
        scores = np.column_stack([-scores, scores] if n_classes == 2 else [scores])
    return scores
