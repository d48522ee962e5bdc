"""Decision thresholds with the best F1 on held-out rows."""

from functools import partial
from numbers import Integral

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skxmr._core.estimators import predict_topk_of
from skxmr._core.validation import N_JOBS
from skxmr.calibration._f1_thresholds import (
    PairPool,
    compute_f1,
    merge_pools,
    tune_label_thresholds,
    tune_shared_threshold,
)
from skxmr.calibration._held_out import (
    HeldOutScoresClassifier,
    if_estimator_ranks,
)


class TunedThresholdMultilabelClassifierCV(HeldOutScoresClassifier):
    """Tune the decision threshold of a multilabel classifier for the best F1, by cross-validation.

    The estimator is fitted on all folds except for one, and scores the held-out fold. All scores
    of all held-out rows are tried as thresholds. The search is exact and takes no longer than
    sorting the scores. The best threshold can be far below 0.5 [1]_. Then the estimator is fitted
    on all rows. True labels without a stored score (outside the beam) count as not found.

    The (row, label) pairs of all held-out rows are in memory at the same time, with about 40 bytes
    per pair during sorting. If this is too much, hold out fewer rows, for example with
    ``cv=ShuffleSplit(1, test_size=20_000)``.

    Parameters
    ----------
    estimator : estimator
        Classifier whose ``predict_proba`` returns one sparse or dense matrix (n_samples,
        n_labels). To tune a fitted classifier, wrap it in `sklearn.frozen.FrozenEstimator` and fit
        on rows that were not used to train it.
    average : {"micro", "macro", "samples"}, default="micro"
        Type of F1 to maximize: "micro" for the F1 of all pairs together, "macro" for the mean over
        labels, where rare labels have the same weight as frequent labels, "samples" for the mean
        over rows.
    per_label : bool, default=False
        Whether each label has a separate threshold. Then the scores of different labels need not
        be comparable, but each threshold is tuned on fewer rows [2]_. Cannot be combined with
        "samples".
    min_positives : int, default=10
        Minimum number of true held-out pairs for a separate threshold, if `per_label` is True.
        Labels with fewer pairs share one threshold. Smaller values fit the held-out rows better
        and generalize less well.
    cv : int, cross-validation generator, iterable or None, default=None
        Splits of the rows as in scikit-learn, without stratification. None means 5 folds. Folds
        whose training rows have no label are skipped.
    n_jobs : int or None, default=None
        Number of folds to fit in parallel, as in joblib. Each needs memory for a model. Results do
        not depend on `n_jobs`.

    Attributes
    ----------
    estimator_ : estimator
        Estimator fitted on all rows.
    thresholds_ : ndarray of shape (n_labels,), float32
        Minimum score at which each label is predicted; all equal unless `per_label` is True.
        Infinite if no threshold raises F1, for example if no true pair has a score. Such labels
        are never predicted.
    best_score_ : float
        F1 of the held-out scores at these thresholds. The F1 on new rows is slightly lower.
    classes_ : ndarray of shape (n_labels,)
        Sorted labels, or the columns of an indicator: numbers, or names of a data frame.
    n_features_in_ : int
        Number of features. Only available if the estimator has this attribute.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features. Only available if the estimator has this attribute.

    See Also
    --------
    CalibratedMultilabelClassifierCV : Calibrate scores to probabilities.
    sklearn.model_selection.TunedThresholdClassifierCV : Tune the threshold for a binary target.

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
    >>> for model in (raw, tuned):
    ...     print(f"{f1_score(Y[700:], model.predict(X[700:]), average='micro'):.2f}")
    0.19
    0.35
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "average": [StrOptions({"micro", "macro", "samples"})],
        "per_label": ["boolean"],
        "min_positives": [Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object"],
        "n_jobs": N_JOBS,
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
        """Tune the thresholds on held-out scores and fit the estimator on all rows.

        Parameters
        ----------
        X : array-like, sparse matrix or list of shape (n_samples, n_features)
            Training rows, in any format that the estimator accepts.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Indicator of 0 and 1.
        **fit_params : dict
            Parameters of the estimator's ``fit``. Parameters with one value per row are indexed
            with the rows of a fold. F1 gives the same weight to all pairs.

        Returns
        -------
        self : TunedThresholdMultilabelClassifierCV
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of range, `per_label` is combined with "samples", `y` is not an
            indicator or has no label, or ``predict_proba`` of the estimator does not return one
            matrix of values in [0, 1].
        """
        if self.per_label and self.average == "samples":
            raise ValueError(
                "average must be 'micro' or 'macro' if per_label=True; got 'samples'. The F1 of a "
                "row depends on the thresholds of all its labels."
            )
        if self.average == "samples":
            grouping = "row"
        else:
            grouping = "label" if self.average == "macro" or self.per_label else "none"
        pool_fold = partial(_pool_fold, grouping=grouping)
        pools, fitted = self._fit_folds(X, y, fit_params, pool_fold)
        pool, n_labels = merge_pools(pools, grouping), len(fitted["classes_"])
        del pools  # as large as the merged pool
        if self.per_label:
            thresholds = tune_label_thresholds(pool, self.average, self.min_positives)
            is_predicted = pool.scores >= thresholds[pool.groups]
        else:
            threshold = np.float32(tune_shared_threshold(pool))
            thresholds = np.full(n_labels, threshold)
            is_predicted = pool.scores >= threshold
        fitted["thresholds_"] = thresholds
        fitted["best_score_"] = compute_f1(pool, is_predicted, self.average)
        return self._set_fitted(fitted)

    def predict(self, X):
        """Predict the labels whose score is at least their threshold.

        Parameters
        ----------
        X : array-like, sparse matrix or list of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : sparse CSR or ndarray of shape (n_samples, n_labels)
            Indicator with the dtype of the `y` passed to ``fit``. Sparse if that `y` was sparse or
            the estimator's ``predict_proba`` is sparse.
        """
        return self._predict_labels(X, lambda pairs: pairs.scores >= self.thresholds_[pairs.labels])

    def predict_proba(self, X):
        """Predict with the estimator's ``predict_proba``; the thresholds apply to these scores.

        Parameters
        ----------
        X : array-like, sparse matrix or list of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        proba : sparse matrix or ndarray of shape (n_samples, n_labels)
            Result of the estimator.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @if_estimator_ranks
    def predict_topk(self, X, k=10, **selection):
        """Predict the k best labels with the estimator's ``predict_topk``, without thresholds.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        k : int, default=10
            Number of labels per row, limited to the number of labels.
        **selection : dict
            `labels` and `exclude`, as of `XRLinearClassifier.predict_topk`, if the estimator has
            them.

        Returns
        -------
        indices : ndarray of shape (n_samples, min(k, n_labels))
            Columns of `y`, best first.
        scores : ndarray of shape (n_samples, min(k, n_labels))
            Scores of these labels.
        """
        check_is_fitted(self)
        return predict_topk_of(self.estimator_, X, k, **selection)


def _pool_fold(true, blocks, grouping):
    """Collect the pairs of a fold, grouped by "label", by "row", or not ("none")."""
    groups, scores, is_true, start = [], [], [], 0
    for pairs, is_true_pair in blocks:
        if grouping == "label":
            groups.append(pairs.labels.astype(np.int32))
        elif grouping == "row":
            groups.append((pairs.rows + start).astype(np.int32))
        else:
            groups.append(np.zeros(len(is_true_pair), dtype=np.int32))
        scores.append(pairs.scores)
        is_true.append(is_true_pair)
        start += pairs.n_rows
    if grouping == "label":
        n_true = np.bincount(true.indices, minlength=true.shape[1])
    elif grouping == "row":
        n_true = np.diff(true.indptr)
    else:
        n_true = np.array([true.nnz])
    return PairPool(*map(np.concatenate, (groups, scores, is_true)), n_true.astype(np.int64))
