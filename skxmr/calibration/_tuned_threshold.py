"""Labels from scores: thresholds with the best F1 on held-out rows."""

from numbers import Integral

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skxmr.calibration._f1_thresholds import Pool, f1_at, shared_threshold, thresholds_of_labels
from skxmr.calibration._held_out import HeldOutScoresClassifier, if_estimator_ranks, topk_of


class TunedThresholdMultilabelClassifierCV(HeldOutScoresClassifier):
    """Tune the threshold that makes labels of scores for the best F1, by cross-validation.

    The estimator is fitted on all folds but one and scores that one. Of the scores of all
    held-out rows, every one is tried as threshold, exactly and in the time of sorting them: F1
    may be best far below one half [1]_. The estimator that predicts is fitted on all rows. True
    labels without a stored score, outside the beam, count as not found.

    The (row, label) pairs of all held-out rows are in memory together, about 40 bytes each while
    they are sorted. Where that is too much, hold out fewer rows: ``ShuffleSplit(1,
    test_size=20_000)`` as `cv`.

    Parameters
    ----------
    estimator : estimator
        Classifier whose ``predict_proba`` returns one sparse or dense matrix (n_samples,
        n_labels). One that is fitted is wrapped in `sklearn.frozen.FrozenEstimator`, and its
        thresholds tuned on rows that it has not seen.
    average : {"micro", "macro", "samples"}, default="micro"
        Which F1 is made best: of all pairs together, the mean over labels (rare ones count as
        much as frequent ones), or the mean over rows.
    per_label : bool, default=False
        Whether labels have thresholds of their own. Scores of different labels then need not be
        comparable, but each threshold rests on fewer rows [2]_. Not for "samples".
    min_positives : int, default=10
        With `per_label`, labels with fewer true pairs among the held-out scores share one
        threshold. Smaller fits the held-out rows better and new rows less well.
    cv : int, cross-validation generator, iterable or None, default=None
        Splits of the rows as in scikit-learn, not stratified; None for 5 folds.
    n_jobs : int or None, default=None
        Folds fitted at a time, as in joblib; each needs its own model in memory. Results do not
        depend on it.

    Attributes
    ----------
    estimator_ : estimator
        The estimator fitted on all rows.
    thresholds_ : ndarray of shape (n_labels,), float32
        The least score at which each label is predicted; all equal unless `per_label`. Infinite
        where no true label was found at any score.
    best_score_ : float
        F1 of the held-out scores at these thresholds; new rows reach a little less.
    classes_ : ndarray of shape (n_labels,)
        Column numbers of `y`.
    n_features_in_ : int
        Number of features, if the estimator tells it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if the estimator tells them.

    See Also
    --------
    CalibratedMultilabelClassifierCV : Probabilities from scores.
    sklearn.model_selection.TunedThresholdClassifierCV : The same for two classes.

    References
    ----------
    .. [1] Z. C. Lipton, C. Elkan, B. Naryanaswamy (2014). "Optimal Thresholding of Classifiers to
       Maximize F1 Measure". ECML PKDD.
    .. [2] R.-E. Fan, C.-J. Lin (2007). "A Study on Threshold Selection for Multi-label
       Classification". National Taiwan University.

    Examples
    --------
    >>> from sklearn.metrics import f1_score
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.calibration import TunedThresholdMultilabelClassifierCV
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> X, Y = make_extreme_multilabel(n_samples=1000, n_labels=100, random_state=0)
    >>> raw = XRLinearClassifier(random_state=0).fit(X[:700], Y[:700])
    >>> tuned = TunedThresholdMultilabelClassifierCV(raw, cv=3).fit(X[:700], Y[:700])
    >>> before, after = (
    ...     f1_score(Y[700:], model.predict(X[700:]), average="micro") for model in (raw, tuned)
    ... )
    >>> after > before
    True
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "average": [StrOptions({"micro", "macro", "samples"})],
        "per_label": ["boolean"],
        "min_positives": [Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object"],
        "n_jobs": [None, Integral],
    }

    def __init__(
        self,
        estimator,
        *,
        average="micro",
        per_label=False,
        min_positives=10,
        cv=None,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.average = average
        self.per_label = per_label
        self.min_positives = min_positives
        self.cv = cv
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, **fit_params):
        """Tune the thresholds on held-out scores, and fit the estimator on all rows.

        Parameters
        ----------
        X : array-like, sparse matrix or list of shape (n_samples, n_features)
            Rows, in any form that the estimator takes.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Indicator of 0 and 1.
        **fit_params : dict
            Passed to the estimator's fit; what has a value for each row is cut to the rows of a
            fold. All pairs count alike in F1.

        Returns
        -------
        self : TunedThresholdMultilabelClassifierCV
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of range, `per_label` is asked for with "samples", `y` is not an
            indicator, or ``predict_proba`` of the estimator returns anything but one matrix of
            values in [0, 1].
        """
        if self.per_label and self.average == "samples":
            raise ValueError(
                "per_label=True cannot go with average='samples': the F1 of a row depends on the "
                "thresholds of all its labels at once; use 'micro' or 'macro'."
            )
        grouped = "samples" if self.average == "samples" else "labels"
        if self.average == "micro" and not self.per_label:
            grouped = "together"
        pools, fitted = self._fit_on_folds(X, y, fit_params, _PoolFold(grouped))
        pool, n_labels = _joined(pools, grouped), len(fitted["classes_"])
        del pools  # as large again as what they were joined to
        if self.per_label:
            thresholds = thresholds_of_labels(pool, self.average, self.min_positives)
            predicted = pool.scores >= thresholds[pool.groups]
        else:
            threshold = np.float32(shared_threshold(pool))
            thresholds = np.full(n_labels, threshold)
            predicted = pool.scores >= threshold
        fitted["thresholds_"] = thresholds
        fitted["best_score_"] = f1_at(pool, predicted, self.average)
        return self._set_fitted(fitted)

    def predict(self, X):
        """Return the labels whose score reaches their threshold.

        Parameters
        ----------
        X : array-like, sparse matrix or list of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : sparse CSR or ndarray of shape (n_samples, n_labels)
            In the dtype of the `y` that was fitted; sparse if that was, or if the estimator's
            probabilities are.
        """
        return self._predict_labels(X, lambda pairs: pairs.scores >= self.thresholds_[pairs.labels])

    def predict_proba(self, X):
        """Return the estimator's ``predict_proba``, to which the thresholds apply.

        Parameters
        ----------
        X : array-like, sparse matrix or list of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        proba : sparse matrix or ndarray of shape (n_samples, n_labels)
            What the estimator returns.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @if_estimator_ranks
    def predict_topk(self, X, k=10):
        """Return the estimator's ``predict_topk``, which needs no threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        k : int, default=10
            Number of labels wanted.

        Returns
        -------
        indices : ndarray of shape (n_samples, k)
            Columns of `y`, best first.
        scores : ndarray of shape (n_samples, k)
            Their scores.
        """
        check_is_fitted(self)
        return topk_of(self.estimator_, X, k)


class _PoolFold:
    """Gathers the pairs of a fold, in groups of the kind that F1 is taken of."""

    def __init__(self, grouped):
        self.grouped = grouped

    def __call__(self, true, blocks):
        parts, start = [], 0
        for pairs, hits in blocks:
            if self.grouped == "labels":
                groups = pairs.labels
            elif self.grouped == "samples":
                groups = pairs.rows + start
            else:
                groups = np.zeros(len(hits))
            parts.append((groups.astype(np.int32), pairs.scores, hits))
            start += pairs.n_rows
        if self.grouped == "labels":
            n_true = np.bincount(true.indices, minlength=true.shape[1])
        elif self.grouped == "samples":
            n_true = np.diff(true.indptr)
        else:
            n_true = np.array([true.nnz])
        return Pool(*map(np.concatenate, zip(*parts, strict=True)), n_true.astype(np.int64))


def _joined(pools, grouped):
    """Join the pools of folds; a row in two of them is two rows."""
    groups, scores, hits, n_true = zip(*pools, strict=True)
    if grouped == "samples":
        starts = np.cumsum([0, *map(len, n_true[:-1])])
        groups = [g + np.int32(start) for g, start in zip(groups, starts, strict=True)]
        n_true = np.concatenate(n_true)
    else:
        n_true = sum(n_true)
    return Pool(*map(np.concatenate, (groups, scores, hits)), n_true)
