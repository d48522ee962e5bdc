"""Scores that are probabilities: one map, learnt from held-out pairs of rows and labels."""

from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing, gen_batches, indexable
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted

from skxmr._core.arrays import as_public_csr
from skxmr._core.estimators import find_topk_estimator
from skxmr._core.node_scores import join_rows
from skxmr._core.score_rule import MIN_SCORE
from skxmr.calibration._held_out import (
    HeldOutScoresClassifier,
    if_estimator_ranks,
    proba_blocks,
    topk_of,
)
from skxmr.calibration._score_maps import SCORE_MAPS, count_pairs

_LARGEST = np.float32(1.0 - np.finfo(np.float32).epsneg)
# Rows on which the two scores of an estimator are compared.
_COMPARED_ROWS = 8


class CalibratedMultilabelClassifierCV(HeldOutScoresClassifier):
    """Turn the scores of a multilabel classifier into probabilities, by cross-validation.

    The estimator is fitted on all folds but one and scores that one; every (row, label) pair that
    ``predict_proba`` stores is then an example of one binary problem: how often is a label with
    this score true? One map for all labels is fitted to them, rising, so that rankings stay. The
    estimator that predicts is fitted on all rows. Labels without a stored score, outside the beam,
    keep none.

    Memory does not grow with the number of pairs: they are counted in 32768 cells by score.

    Parameters
    ----------
    estimator : estimator
        Classifier whose ``predict_proba`` returns one sparse or dense matrix (n_samples,
        n_labels). To calibrate one that is fitted, on rows that it has not seen, wrap it in
        `sklearn.frozen.FrozenEstimator`.
    method : {"isotonic", "sigmoid"}, default="isotonic"
        "isotonic" fits a step function [1]_, which takes any rising form and has the smaller error
        on the thousands of pairs that a few hundred rows give. Equal steps are tilted by the
        score, so that order is kept to float32 precision. "sigmoid" fits a logistic regression on
        the log-odds of the score [2]_: two numbers, for fewer pairs.
    cv : int, cross-validation generator, iterable or None, default=None
        Splits of the rows as in scikit-learn, not stratified; None for 5 folds. More folds take
        longer and tune on models closer to the final one. One split, such as
        `sklearn.model_selection.ShuffleSplit` with ``n_splits=1``, is enough for many rows.
    n_jobs : int or None, default=None
        Folds fitted at a time, as in joblib; each needs its own model in memory. Results do not
        depend on it.

    Attributes
    ----------
    estimator_ : estimator
        The estimator fitted on all rows.
    calibrator_ : callable
        The map: takes an array of scores in (0, 1], returns probabilities.
    classes_ : ndarray of shape (n_labels,)
        Column numbers of `y`.
    n_features_in_ : int
        Number of features, if the estimator tells it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if the estimator tells them.

    See Also
    --------
    TunedThresholdMultilabelClassifierCV : Labels from scores, by the best F1.
    skxmr.metrics.expected_calibration_error : How far scores are from probabilities.
    sklearn.calibration.CalibratedClassifierCV : The same for classes.

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
    >>> before, after = (
    ...     expected_calibration_error(Y[700:], model.predict_topk(X[700:], k=5))
    ...     for model in (raw, calibrated)
    ... )
    >>> after < before / 2
    True
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "method": [StrOptions(set(SCORE_MAPS))],
        "cv": ["cv_object"],
        "n_jobs": [None, Integral],
    }

    def __init__(self, estimator, *, method="isotonic", cv=None, n_jobs=None):
        self.estimator = estimator
        self.method = method
        self.cv = cv
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, **fit_params):
        """Fit the map on held-out scores, and the estimator on all rows.

        Parameters
        ----------
        X : array-like, sparse matrix or list of shape (n_samples, n_features)
            Rows, in any form that the estimator takes.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Indicator of 0 and 1.
        **fit_params : dict
            Passed to the estimator's fit; what has a value for each row is cut to the rows of a
            fold. All pairs count alike in the map.

        Returns
        -------
        self : CalibratedMultilabelClassifierCV
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of range, `y` is not an indicator, or ``predict_proba`` of the
            estimator returns anything but one matrix of values in [0, 1].
        """
        counts, fitted = self._fit_on_folds(X, y, fit_params, _count_fold)
        fitted["calibrator_"] = SCORE_MAPS[self.method](sum(counts))
        fitted["_topk_gives_proba"] = _topk_gives_proba(fitted["estimator_"], X)
        return self._set_fitted(fitted)

    def predict_proba(self, X):
        """Return the probability of labels.

        Parameters
        ----------
        X : array-like, sparse matrix or list of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        proba : sparse CSR or ndarray of shape (n_samples, n_labels), float32
            In the form that the estimator gives, in (0, 1) for labels that it scores.
        """
        check_is_fitted(self)
        blocks = list(proba_blocks(self.estimator_, X))
        if not all(map(sp.issparse, blocks)):
            return np.concatenate([self._mapped(P) for P in blocks])
        parts = ((P.indptr, P.indices, self._mapped(P.data)) for P in map(sp.csr_array, blocks))
        indptr, labels, proba = join_rows(parts)
        return as_public_csr(indptr, labels, proba, (len(indptr) - 1, len(self.classes_)))

    def predict(self, X):
        """Return the labels whose probability is at least one half.

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
        return self._predict_labels(X, lambda pairs: self._mapped(pairs.scores) >= 0.5)

    @if_estimator_ranks
    def predict_topk(self, X, k=10):
        """Return the best labels of each row in the estimator's order, with probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        k : int, default=10
            Number of labels wanted.

        Returns
        -------
        indices : ndarray of shape (n_samples, k), int32
            Columns of `y`, best first; -1 where the estimator ranked fewer than k.
        scores : ndarray of shape (n_samples, k), float32
            Their probabilities; -inf where the index is -1.
        """
        check_is_fitted(self)
        labels, scores = topk_of(self.estimator_, X, k)
        if not self._topk_gives_proba:
            scores = _proba_of(self.estimator_, X, labels)
        return labels, np.where(labels >= 0, self._mapped(scores), np.float32(-np.inf))

    def _mapped(self, scores):
        scores = np.asarray(scores, dtype=np.float32)
        # What is outside the beam stays there.
        inside = scores > MIN_SCORE
        proba = self.calibrator_(np.where(inside, scores, MIN_SCORE)).astype(np.float32)
        return np.where(inside, np.clip(proba, MIN_SCORE, _LARGEST), scores)


def _count_fold(true, blocks):
    return sum(count_pairs(pairs.scores, hits) for pairs, hits in blocks)


def _proba_of(estimator, X, labels):
    """Return predict_proba of ranked labels, (n_samples, k); 0 where the label is -1."""
    scores = np.zeros(labels.shape, dtype=np.float32)
    row, place = np.nonzero(labels >= 0)
    start = 0
    for P in proba_blocks(estimator, X):
        P = P.tocsr() if sp.issparse(P) else np.asarray(P)
        here = (row >= start) & (row < start + P.shape[0])
        wanted = P[row[here] - start, labels[row[here], place[here]]]
        scores[row[here], place[here]] = np.asarray(wanted).ravel()
        start += P.shape[0]
    return scores


def _topk_gives_proba(estimator, X):
    """Whether the scores of predict_topk are those of predict_proba; logarithms are not."""
    if find_topk_estimator(estimator)[0] is None:
        return False
    (X,) = indexable(X)
    X = _safe_indexing(X, next(gen_batches(_num_samples(X), _COMPARED_ROWS)))
    labels, scores = topk_of(estimator, X, 1)
    known = labels >= 0
    proba = _proba_of(estimator, X, labels)
    return bool(np.allclose(scores[known], proba[known], rtol=1e-5, atol=0))
