"""What both meta-estimators share: scores of rows that the scoring model has not seen."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, gen_batches, get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params, _num_samples, check_is_fitted

from skxmr._core.arrays import as_public_csr
from skxmr._core.estimators import find_topk_estimator
from skxmr._core.node_scores import join_rows
from skxmr._core.score_rule import MIN_SCORE
from skxmr._core.validation import check_indicator, refuse_label_collections
from skxmr.metrics import Indicator, contains

# Rows scored at once: of 1000 labels each, 65 MB of scores.
_BLOCK_ROWS = 2**13


class ScoredPairs(NamedTuple):
    """The pairs of a block of rows that have a score: all other labels are outside the beam."""

    n_rows: int
    rows: np.ndarray  # counted in the block
    labels: np.ndarray
    scores: np.ndarray  # float32


def scored_pairs(P, n_labels):
    """Return the pairs of a result of predict_proba, checked, in the order of rows and labels."""
    if isinstance(P, list) or getattr(P, "ndim", 0) != 2 or P.shape[1] != n_labels:
        got = f"shape {P.shape}" if hasattr(P, "shape") else f"a {type(P).__name__}"
        raise ValueError(
            f"predict_proba of the estimator must return one matrix with the {n_labels} columns "
            f"of y; got {got}."
        )
    if sp.issparse(P):
        P = P.tocsr()
        rows, labels = np.repeat(np.arange(P.shape[0]), np.diff(P.indptr)), P.indices
        values = P.data
    else:
        rows, labels = np.nonzero(np.asarray(P) > MIN_SCORE)
        values = np.asarray(P)[rows, labels]
    scores = values.astype(np.float32, copy=False)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError("predict_proba of the estimator must return values in [0, 1].")
    # The least positive score stands for a label outside the beam, or as far away as one.
    inside = scores > MIN_SCORE
    if not inside.all():
        rows, labels, scores = rows[inside], labels[inside], scores[inside]
    return ScoredPairs(P.shape[0], rows, labels, scores)


class HeldOutScoresClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """A classifier around another, with something tuned on its scores of held-out rows."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator).input_tags
        for name in ("sparse", "string", "pairwise", "allow_nan"):
            setattr(tags.input_tags, name, getattr(inner, name))
        tags.classifier_tags.multi_label = True
        tags.classifier_tags.multi_class = False
        return tags

    def _fit_on_folds(self, X, y, fit_params, reduce):
        """Return what `reduce` makes of each fold, and the attributes of the fitted estimator.

        `reduce` gets the true labels of the held-out rows (CSR), and an iterator over blocks of
        (ScoredPairs, which of them are true); it must not keep what it can count.
        """
        Y = _check_multilabel(y)
        X, y = indexable(X, y)
        folds = list(check_cv(self.cv).split(X, y))
        reduced = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_and_reduce)(clone(self.estimator), X, y, Y, *fold, fit_params, reduce)
            for fold in folds
        )
        params = _check_method_params(X, params=fit_params)
        estimator = clone(self.estimator).fit(X, y, **params)
        fitted = {
            "estimator_": estimator,
            "classes_": np.arange(Y.shape[1]),
            "_sparse_target": sp.issparse(y),
            "_target_dtype": y.dtype if hasattr(y, "dtype") else np.asarray(y).dtype,
        }
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(estimator, name):
                fitted[name] = getattr(estimator, name)
        return reduced, fitted

    def _set_fitted(self, fitted):
        vars(self).pop("feature_names_in_", None)
        vars(self).update(fitted)
        return self

    def _predict_labels(self, X, finish):
        """Return the labels of pairs for which ``finish(pairs)`` is true, in the form of `y`."""
        check_is_fitted(self)
        parts, sparse = [], self._sparse_target
        for P in proba_blocks(self.estimator_, X):
            pairs = scored_pairs(P, len(self.classes_))
            sparse = sparse or sp.issparse(P)
            chosen = finish(pairs)
            counts = np.bincount(pairs.rows[chosen], minlength=pairs.n_rows)
            indptr = np.concatenate(([0], np.cumsum(counts)))
            ones = np.ones(indptr[-1], dtype=self._target_dtype)
            parts.append((indptr, pairs.labels[chosen], ones))
        indptr, labels, ones = join_rows(parts)
        predicted = as_public_csr(indptr, labels, ones, (len(indptr) - 1, len(self.classes_)))
        return predicted if sparse else predicted.toarray()


def if_estimator_ranks(method):
    """Make ``predict_topk`` available only where the estimator or the end of a pipeline has it."""
    return available_if(lambda self: _ranks(getattr(self, "estimator_", self.estimator)))(method)


def _ranks(estimator):
    return find_topk_estimator(estimator)[0] is not None


def topk_of(estimator, X, k):
    """Return what ``predict_topk`` of the estimator says, or of what a pipeline ends in."""
    ranker, transformers = find_topk_estimator(estimator)
    for transformer in transformers:
        X = transformer.transform(X)
    return ranker.predict_topk(X, k)


def proba_blocks(estimator, X):
    """Yield predict_proba of consecutive blocks of rows."""
    (X,) = indexable(X)
    if _num_samples(X) <= _BLOCK_ROWS:
        yield estimator.predict_proba(X)
        return
    for rows in gen_batches(_num_samples(X), _BLOCK_ROWS):
        yield estimator.predict_proba(_safe_indexing(X, rows))


def _check_multilabel(y):
    """Return an indicator as CSR; refuse classes."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None.")
    refuse_label_collections(y)
    if sp.issparse(y):
        y = y if y.format in ("csr", "csc", "coo") else y.tocoo()
    else:
        y = np.asarray(y)
        if y.ndim != 2 or y.shape[1] < 2:
            raise ValueError(
                "y must be an indicator of shape (n_samples, n_labels), sparse or dense; got "
                f"shape {y.shape}. For classes there are CalibratedClassifierCV and "
                "TunedThresholdClassifierCV of scikit-learn."
            )
    return check_indicator(y)


def _fit_and_reduce(estimator, X, y, Y, train, test, fit_params, reduce):
    params = _check_method_params(X, params=fit_params, indices=train)
    estimator.fit(_safe_indexing(X, train), _safe_indexing(y, train), **params)
    true = Y[test]

    def blocks():
        known, start = Indicator(true.indptr, true.indices, true.shape[1]), 0
        for P in proba_blocks(estimator, _safe_indexing(X, test)):
            pairs = scored_pairs(P, Y.shape[1])
            rows = slice(start, start + pairs.n_rows)
            yield pairs, contains(known, rows, pairs.rows, pairs.labels)
            start = rows.stop

    return reduce(true, blocks())
