"""Calibration of scores with one map for all labels, fitted on held-out (row, label) pairs."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing, gen_batches, indexable
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted

from skxmr._core.arrays import as_public_csr
from skxmr._core.estimators import find_topk_estimator, freeze_params, predict_topk_of
from skxmr._core.node_scores import join_rows
from skxmr._core.score_rule import MIN_SCORE
from skxmr._core.validation import N_JOBS
from skxmr.calibration._held_out import (
    HeldOutScoresClassifier,
    if_estimator_ranks,
    predict_proba_blocks,
)
from skxmr.calibration._score_maps import SCORE_MAPS, count_pairs

_MAX_PROBA = np.float32(1.0 - np.finfo(np.float32).epsneg)  # the largest float32 below 1
# Number of rows on which the scores of predict_topk and predict_proba are compared.
_N_COMPARED_ROWS = 8


class CalibratedMultilabelClassifierCV(HeldOutScoresClassifier):
    """Calibrate the scores of a multilabel classifier to probabilities, by cross-validation.

    The estimator is fitted on all folds except for one, and scores the held-out fold. Each (row,
    label) pair that ``predict_proba`` stores is a sample of one binary problem: is the label true,
    given its score? One increasing map for all labels is fitted to these samples, so rankings do
    not change. Then the estimator is fitted on all rows. Labels without a stored score (outside the
    beam) remain without a score.

    Pairs are only counted, in 32768 cells by score, so memory does not grow with their number.

    Parameters
    ----------
    estimator : estimator
        Classifier whose ``predict_proba`` returns one sparse or dense matrix (n_samples,
        n_labels). To calibrate a fitted classifier, wrap it in `sklearn.frozen.FrozenEstimator` and
        fit on rows that were not used to train it.
    method : {"isotonic", "sigmoid"}, default="isotonic"
        Type of the map. "isotonic" fits an increasing step function [1]_, which can have any
        shape. It has the smaller error if there are thousands of pairs, and a few hundred rows are
        enough for that. Scores within a step still differ slightly, so the order is preserved up
        to float32 precision. "sigmoid" fits a logistic regression on the log-odds of the score
        [2]_. It has only two parameters and needs fewer pairs.
    cv : int, cross-validation generator, iterable or None, default=None
        Splits of the rows as in scikit-learn, without stratification. None means 5 folds. Folds
        whose training rows have no label are skipped. More
        folds take longer, but their models are closer to the final model. If there are many rows,
        one split is enough, for example ``ShuffleSplit(n_splits=1)`` of
        `sklearn.model_selection`.
    n_jobs : int or None, default=None
        Number of folds to fit in parallel, as in joblib. Each needs memory for a model. Results do
        not depend on `n_jobs`.

    Attributes
    ----------
    estimator_ : estimator
        Estimator fitted on all rows.
    calibrator_ : callable
        Map from an array of scores in (0, 1] to probabilities.
    classes_ : ndarray of shape (n_labels,)
        Sorted labels, or the columns of an indicator: numbers, or names of a data frame.
    n_features_in_ : int
        Number of features. Only available if the estimator has this attribute.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features. Only available if the estimator has this attribute.

    See Also
    --------
    TunedThresholdMultilabelClassifierCV : Tune thresholds for the best F1.
    skxmr.metrics.expected_calibration_error : Measure the difference of scores and probabilities.
    sklearn.calibration.CalibratedClassifierCV : Calibrate single-label classifiers.

    References
    ----------
    .. [1] B. Zadrozny, C. Elkan (2002). "Transforming Classifier Scores into Accurate Multiclass
       Probability Estimates". KDD.
    .. [2] J. Platt (1999). "Probabilistic Outputs for Support Vector Machines and Comparisons to
       Regularized Likelihood Methods". Advances in Large Margin Classifiers.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.calibration import CalibratedMultilabelClassifierCV
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.metrics import expected_calibration_error
    >>> X, Y = make_extreme_multilabel(n_samples=1000, n_labels=100, random_state=0)
    >>> raw = XRLinearClassifier(random_state=0).fit(X[:700], Y[:700])
    >>> calibrated = CalibratedMultilabelClassifierCV(raw, cv=3).fit(X[:700], Y[:700])
    >>> for model in (raw, calibrated):
    ...     print(f"{expected_calibration_error(Y[700:], model.predict_topk(X[700:], k=5)):.2f}")
    0.14
    0.01
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "method": [StrOptions(set(SCORE_MAPS))],
        "cv": ["cv_object"],
        "n_jobs": N_JOBS,
    }

    def __init__(self, estimator, *, method="isotonic", cv=None, n_jobs=None):
        self.estimator = estimator
        self.method = method
        self.cv = cv
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, **fit_params):
        """Fit the map on held-out scores and the estimator on all rows.

        Parameters
        ----------
        X : array-like, sparse matrix or list of shape (n_samples, n_features)
            Training rows, in any format that the estimator accepts.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Indicator of 0 and 1.
        **fit_params : dict
            Parameters of the estimator's ``fit``. Parameters with one value per row are indexed
            with the rows of a fold. The map gives the same weight to all pairs.

        Returns
        -------
        self : CalibratedMultilabelClassifierCV
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of range, `y` is not an indicator or has no label, or
            ``predict_proba`` of the estimator does not return one matrix of values in [0, 1].
        """
        counts, fitted = self._fit_folds(X, y, fit_params, _count_fold_pairs)
        fitted["calibrator_"] = SCORE_MAPS[self.method](sum(counts))
        fitted["_topk_returns_proba"] = _topk_returns_proba(fitted["estimator_"], X)
        return self._set_fitted(fitted)

    def predict_proba(self, X):
        """Predict the probabilities of the labels.

        Parameters
        ----------
        X : array-like, sparse matrix or list of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        proba : sparse CSR or ndarray of shape (n_samples, n_labels), float32
            Probabilities in (0, 1) for the labels that the estimator scores; sparse if its
            ``predict_proba`` is sparse.
        """
        check_is_fitted(self)
        blocks = [self._calibrate_block(P) for P in predict_proba_blocks(self.estimator_, X)]
        if not all(map(sp.issparse, blocks)):
            return np.concatenate(blocks)
        indptr, labels, proba = join_rows((P.indptr, P.indices, P.data) for P in blocks)
        return as_public_csr(indptr, labels, proba, (len(indptr) - 1, len(self.classes_)))

    def predict(self, X):
        """Predict the labels whose probability is at least 0.5.

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
        return self._predict_labels(X, lambda pairs: self._calibrate(pairs.scores) >= 0.5)

    @if_estimator_ranks
    def predict_topk(self, X, k=10, **selection):
        """Predict the k best labels per row, in the estimator's order, with probabilities.

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
        indices : ndarray of shape (n_samples, min(k, n_labels)), int32
            Columns of `y`, best first; -1 if the estimator ranked fewer labels.
        scores : ndarray of shape (n_samples, min(k, n_labels)), float32
            Probabilities of these labels; -inf if the index is -1.
        """
        check_is_fitted(self)
        if self._topk_returns_proba:
            labels, scores = predict_topk_of(self.estimator_, X, k, **selection)
        else:
            estimator = freeze_params(self.estimator_)
            labels, _ = predict_topk_of(estimator, X, k, **selection)
            scores = _predict_proba_at(estimator, X, labels)
        return labels, np.where(labels >= 0, self._calibrate(scores), np.float32(-np.inf))

    def _calibrate_block(self, P):
        if not sp.issparse(P):
            return self._calibrate(P)
        P = sp.csr_array(P)
        return sp.csr_array((self._calibrate(P.data), P.indices, P.indptr), shape=P.shape)

    def _calibrate(self, scores):
        scores = np.asarray(scores, dtype=np.float32)
        # Scores of labels outside the beam are not changed.
        is_in_beam = scores > MIN_SCORE
        proba = self.calibrator_(np.where(is_in_beam, scores, MIN_SCORE)).astype(np.float32)
        return np.where(is_in_beam, np.clip(proba, MIN_SCORE, _MAX_PROBA), scores)


def _count_fold_pairs(true, blocks):
    return sum(count_pairs(pairs.scores, is_true) for pairs, is_true in blocks)


def _predict_proba_at(estimator, X, labels):
    """Return predict_proba of ranked labels, shape (n_samples, k); 0 if the label is -1."""
    scores = np.zeros(labels.shape, dtype=np.float32)
    rows, ranks = np.nonzero(labels >= 0)
    start = 0
    for P in predict_proba_blocks(estimator, X):
        P = P.tocsr() if sp.issparse(P) else np.asarray(P)
        in_block = (rows >= start) & (rows < start + P.shape[0])
        block_rows, block_ranks = rows[in_block], ranks[in_block]
        values = P[block_rows - start, labels[block_rows, block_ranks]]
        scores[block_rows, block_ranks] = np.asarray(values).ravel()
        start += P.shape[0]
    return scores


def _topk_returns_proba(estimator, X):
    """Return whether predict_topk has the scores of predict_proba, and not their logarithms."""
    if find_topk_estimator(estimator)[0] is None:
        return False
    (X,) = indexable(X)
    X = _safe_indexing(X, next(gen_batches(_num_samples(X), _N_COMPARED_ROWS)))
    labels, scores = predict_topk_of(estimator, X, 1)
    is_label = labels >= 0
    proba = _predict_proba_at(estimator, X, labels)
    return bool(np.allclose(scores[is_label], proba[is_label], rtol=1e-5, atol=0))
