"""Base class of both meta-estimators: scores of held-out rows from models of the other folds."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, gen_batches, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params, _num_samples, check_is_fitted

from skxmr._core.arrays import as_public_csr
from skxmr._core.estimators import (
    SubsetAccuracyMixin,
    check_frozen_width,
    find_topk_estimator,
    freeze_params,
    is_frozen,
)
from skxmr._core.label_names import binarize_names, find_label_names, to_names
from skxmr._core.node_scores import join_rows
from skxmr._core.score_rule import MIN_SCORE
from skxmr._core.suggestions import SuggestionMixin
from skxmr._core.target_containers import find_column_names, holds_names, read_targets
from skxmr._core.targets import check_has_labels, check_indicator
from skxmr._core.threads import limit_process_jobs
from skxmr.metrics import Indicator, mark_true_labels

# Number of rows scored at once. With 1000 scored labels per row, the scores take 65 MB.
_ROWS_PER_BLOCK = 2**13


class ScoredPairs(NamedTuple):
    """The (row, label) pairs with a score in a block of rows; other labels are outside the beam."""

    n_rows: int
    rows: np.ndarray  # counted from the start of the block
    labels: np.ndarray
    scores: np.ndarray  # float32


def extract_scored_pairs(P, n_labels):
    """Check the result `P` of predict_proba and return its `ScoredPairs`, ordered by row."""
    if isinstance(P, list) or getattr(P, "ndim", 0) != 2 or P.shape[1] != n_labels:
        got = f"shape {P.shape}" if hasattr(P, "shape") else f"a {type(P).__name__}"
        raise ValueError(
            "predict_proba of the estimator must return one matrix with the "
            f"{n_labels} columns of y; got {got}."
        )
    if sp.issparse(P):
        P = P.tocsr()
        rows, labels = np.repeat(np.arange(P.shape[0]), np.diff(P.indptr)), P.indices
        values = P.data
    else:
        rows, labels = np.nonzero(np.asarray(P) > MIN_SCORE)
        values = np.asarray(P)[rows, labels]
    scores = values.astype(np.float32, copy=False)
    is_proba = (values >= 0) & (values <= 1)
    if not np.all(is_proba):
        raise ValueError(
            "predict_proba of the estimator must return values in [0, 1]; got "
            f"{values[~is_proba][0]}."
        )
    # MIN_SCORE marks labels outside the beam.
    is_in_beam = scores > MIN_SCORE
    if not is_in_beam.all():
        rows, labels, scores = rows[is_in_beam], labels[is_in_beam], scores[is_in_beam]
    return ScoredPairs(P.shape[0], rows, labels, scores)


def if_estimator_ranks(method):
    """Make ``predict_topk`` available only if the estimator or the end of a pipeline has it."""

    def has_ranker(self):
        return find_topk_estimator(getattr(self, "estimator_", self.estimator))[0] is not None

    return available_if(has_ranker)(method)


class HeldOutScoresClassifier(MetaEstimatorMixin, SubsetAccuracyMixin, BaseEstimator):
    """Base of meta-estimators that tune something on an estimator's scores of held-out rows."""

    _predicts_names = False  # pickles of earlier versions lack it

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator).input_tags
        for name in ("sparse", "string", "pairwise", "allow_nan"):
            setattr(tags.input_tags, name, getattr(inner, name))
        tags.classifier_tags.multi_label = True
        tags.classifier_tags.multi_class = False
        return tags

    def get_metadata_routing(self):
        """Return the metadata that `score` and the estimator's ``fit`` request.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
            Used by scikit-learn if metadata routing is enabled.
        """
        return (
            MetadataRouter(owner=type(self).__name__)
            .add_self_request(self)
            .add(
                estimator=self.estimator,
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
            )
        )

    suggest = if_estimator_ranks(SuggestionMixin.suggest)

    def _fit_folds(self, X, y, fit_params, summarize):
        """Return the summary of each fold, and a dict of the fitted attributes.

        `summarize` is called per fold with the true labels of the held-out rows (CSR) and an
        iterator over blocks, each a tuple (ScoredPairs, boolean array of the true pairs). To save
        memory, it should count pairs as they come instead of collecting them.
        """
        y, Y, classes, are_names = _read_multilabel(y, self.estimator)
        check_frozen_width(self.estimator, y)
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        X, y = indexable(X, y)
        folds = self._trainable_folds(X, y, Y)
        summaries = Parallel(n_jobs=limit_process_jobs(self.n_jobs))(
            delayed(_fit_and_summarize)(
                clone(self.estimator), X, y, Y, train, test, fit_params, summarize
            )
            for train, test in folds
        )
        params = _check_method_params(X, params=fit_params)
        estimator = clone(self.estimator).fit(X, y, **params)
        fitted = {
            "estimator_": estimator,
            "classes_": classes,
            "_predicts_names": are_names,
            "_is_target_sparse": sp.issparse(y),
            "_target_dtype": y.dtype,
        }
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(estimator, name):
                fitted[name] = getattr(estimator, name)
        return summaries, fitted

    def _trainable_folds(self, X, y, Y):
        """Return the (training, held-out) rows of the folds; skip folds without training labels.

        All labels of small data may be in one fold. The other folds are then sufficient.
        """
        folds = list(check_cv(self.cv).split(X, y))
        if is_frozen(self.estimator):
            return folds
        has_labels = np.diff(Y.indptr) > 0
        trainable = [(train, test) for train, test in folds if has_labels[train].any()]
        if not trainable:
            raise ValueError(
                "cv must leave at least one label of y in the training rows of a fold; got none in "
                f"{len(folds)} fold(s). Shuffle the rows, or use more folds."
            )
        return trainable

    def _set_fitted(self, fitted):
        vars(self).pop("feature_names_in_", None)
        vars(self).update(fitted)
        return self

    def _predict_labels(self, X, select_pairs):
        """Return the predicted labels.

        ``select_pairs(pairs)`` returns a boolean array for a `ScoredPairs`. The result is an
        indicator with the dtype of the `y` given to `fit`: CSR if that `y` or the result of
        predict_proba is sparse, else a dense array. For lists of labels: tuples of labels.
        """
        check_is_fitted(self)
        blocks, is_sparse = [], self._is_target_sparse
        for P in predict_proba_blocks(self.estimator_, X):
            pairs = extract_scored_pairs(P, len(self.classes_))
            is_sparse = is_sparse or sp.issparse(P)
            selected = select_pairs(pairs)
            counts = np.bincount(pairs.rows[selected], minlength=pairs.n_rows)
            indptr = np.concatenate(([0], np.cumsum(counts)))
            ones = np.ones(indptr[-1], dtype=np.int8)
            blocks.append((indptr, pairs.labels[selected], ones))
        indptr, labels, ones = join_rows(blocks)
        predicted = as_public_csr(indptr, labels, ones, (len(indptr) - 1, len(self.classes_)))
        if self._predicts_names:
            return to_names(predicted, self.classes_)
        predicted = predicted if is_sparse else predicted.toarray()
        # Only a dense array can have every dtype of `y`.
        return predicted.astype(self._target_dtype)


def predict_proba_blocks(estimator, X):
    """Yield predict_proba of consecutive blocks of rows."""
    (X,) = indexable(X)
    if _num_samples(X) <= _ROWS_PER_BLOCK:
        yield estimator.predict_proba(X)
        return
    estimator = freeze_params(estimator)
    for rows in gen_batches(_num_samples(X), _ROWS_PER_BLOCK):
        yield estimator.predict_proba(_safe_indexing(X, rows))


class _MultilabelTargets(NamedTuple):
    """Targets with several labels per row.

    Attributes
    ----------
    y : ndarray or sparse matrix
        Indicator in the format of the argument.
    Y : csr_array
        Canonical indicator.
    classes : ndarray of shape (n_labels,)
        Sorted labels of lists, classes of a fitted estimator, or columns of an indicator.
    are_names : bool
        Whether the argument has a list of labels per row.
    """

    y: object
    Y: sp.csr_array
    classes: np.ndarray
    are_names: bool


def _read_multilabel(y, estimator):
    """Return `_MultilabelTargets`; raise a ValueError for one class per row."""
    if y is None:
        # scikit-learn's estimator checks require this text.
        raise ValueError("requires y to be passed, but the target y is None.")
    classes = find_column_names(y)
    y = read_targets(y)
    are_names = holds_names(y)
    if are_names:
        classes = getattr(estimator, "classes_", None) if is_frozen(estimator) else None
        classes = find_label_names(y) if classes is None else classes
        # Labels that a fitted estimator does not know have no scores to calibrate.
        y = binarize_names(y, classes)[:, : len(classes)]
    if not sp.issparse(y) and (y.ndim != 2 or y.shape[1] < 2):
        raise ValueError(
            "y must be an indicator of shape (n_samples, n_labels), sparse or dense; got "
            f"shape {y.shape}. For single-label classes, use CalibratedClassifierCV or "
            "TunedThresholdClassifierCV of scikit-learn."
        )
    Y = check_indicator(y)
    check_has_labels(Y)
    classes = np.arange(Y.shape[1]) if classes is None else classes
    return _MultilabelTargets(y, Y, classes, are_names)


def _fit_and_summarize(estimator, X, y, Y, train, test, fit_params, summarize):
    params = _check_method_params(X, params=fit_params, indices=train)
    estimator.fit(_safe_indexing(X, train), _safe_indexing(y, train), **params)
    true = Y[test]

    def pair_blocks():
        indicator, start = Indicator(true.indptr, true.indices, true.shape[1]), 0
        for P in predict_proba_blocks(estimator, _safe_indexing(X, test)):
            pairs = extract_scored_pairs(P, Y.shape[1])
            row_slice = slice(start, start + pairs.n_rows)
            yield pairs, mark_true_labels(indicator, row_slice, pairs.rows, pairs.labels)
            start = row_slice.stop

    return summarize(true, pair_blocks())
