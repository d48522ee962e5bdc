"""Custom matchers: match rows with clusters by any multilabel classifier."""

import copy

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import as_public_csr, offsets_of
from skxmr._core.estimators import clone_with_seed, fit_weighted
from skxmr._core.node_scores import NodeScores, join_rows
from skxmr._core.row_search import RowScores
from skxmr._core.rows import Rows
from skxmr._core.score_forms import to_log_scores
from skxmr._core.score_rule import MIN_SCORE
from skxmr._core.threads import BLOCK_SCORES
from skxmr._core.topk import best_of_rows

# Maximum number of entries (one byte each) of a dense target. Smaller targets are dense, because
# most classifiers of scikit-learn reject sparse targets, and some accept them but return wrong
# predictions, for example KNeighborsClassifier (scikit-learn 1.9).
MAX_DENSE_TARGETS = 2**26
# Rounding may raise a probability slightly above 1.
ROUNDING_TOLERANCE = 1e-5


class EstimatorMatcher:
    """Score the clusters of one level with a classifier, and those below with linear models.

    Created by `fit_matcher`. For each row, the classifier gives the probability of each cluster of
    its level, and the `beam_width` most probable clusters are kept; of equal ones, those with the
    lower number. Clusters with probability 0 are not kept. If all probabilities of a row are 0, it
    gets the most frequent clusters, with their frequencies as probabilities.

    Parameters
    ----------
    estimator : classifier or None
        Fitted on the indicator of `predicted_clusters`; None if there are no such clusters.
    predicted_clusters : ndarray of int32
        Clusters that are positive for some but not all training rows, in the order of the columns
        of the classifier.
    cluster_frequencies : ndarray of shape (n_clusters,), float64
        Fraction of the training rows for which each cluster is positive. Clusters with the fraction
        1 have the probability 1 for every row.
    levels : list of LevelModel
        Linear models of the levels of clusters below.
    n_features : int
        Number of columns of X.
    max_call_rows : int
        Maximum number of rows per call of the classifier.
    """

    def __init__(
        self,
        estimator,
        predicted_clusters,
        cluster_frequencies,
        levels,
        n_features,
        max_call_rows,
    ):
        self.estimator = estimator
        self.predicted_clusters = predicted_clusters
        self.cluster_frequencies = cluster_frequencies
        self.levels = levels
        self.n_features = n_features
        self.max_call_rows = max_call_rows

    def with_levels(self, levels):
        """Return the same matcher with linear models for the levels of clusters below."""
        matcher = copy.copy(self)
        matcher.levels = levels
        return matcher

    def match(self, X, beam_width, transforms):
        """Return the best leaf clusters of each row; see `RecursiveLinearMatcher.match`.

        The classifier replaces the linear models of its level and of all levels above it.
        """
        rows = X.to_csr()
        blocks = [
            self._match_block(rows[start : start + self.max_call_rows], beam_width)
            for start in range(0, X.n_rows, self.max_call_rows)
        ]
        beam = NodeScores(*join_rows(blocks))
        n_replaced = len(transforms) - len(self.levels)
        for level, transform in zip(self.levels, transforms[n_replaced:], strict=True):
            beam = level.expand(X, beam, beam_width or 0, transform, best_first=True)
        return beam

    def match_row(self, x, beam_width, transforms):
        """Return the `RowScores` of the best leaf clusters of one `SparseRow`."""
        _, *beam = self.match(Rows.of_row(x, self.n_features), beam_width, transforms)
        return RowScores.from_arrays(*beam)

    def _match_block(self, rows, beam_width):
        # Return the best clusters of the level of the classifier, with log probabilities and the
        # margin 0.
        n_rows = rows.shape[0]
        always_positive = np.flatnonzero(self.cluster_frequencies == 1).astype(np.int32)
        P = sp.csr_array((n_rows, 0))
        if self.estimator is not None:
            proba = self.estimator.predict_proba(rows)
            P = _check_probabilities(proba, n_rows, len(self.predicted_clusters))
        if len(always_positive):
            P = sp.hstack([P, np.ones((n_rows, len(always_positive)))], format="csr")
        clusters = np.concatenate([self.predicted_clusters, always_positive])[P.indices]
        scores = to_log_scores(P.data)
        scored = NodeScores(P.indptr.astype(np.int64), clusters, scores, np.zeros_like(scores))
        best = NodeScores(*best_of_rows(*scored, beam_width or 0, True))
        return self._fill_empty_rows(best, beam_width)

    def _fill_empty_rows(self, beam, beam_width):
        # Give rows without clusters the most frequent clusters.
        counts = np.diff(beam.indptr)
        n_empty = np.count_nonzero(counts == 0)
        if n_empty == 0:
            return beam
        n_clusters = len(self.cluster_frequencies)
        _, frequent_clusters, frequent_scores, _ = best_of_rows(
            np.array([0, n_clusters]),
            np.arange(n_clusters, dtype=np.int32),
            to_log_scores(self.cluster_frequencies),
            np.zeros(n_clusters, dtype=np.float32),
            beam_width or 0,
            True,
        )
        filled_counts = np.where(counts == 0, len(frequent_clusters), counts)
        from_beam = np.repeat(counts > 0, filled_counts)
        ids = np.empty(len(from_beam), dtype=np.int32)
        scores = np.empty(len(from_beam), dtype=np.float32)
        ids[from_beam], scores[from_beam] = beam.ids, beam.scores
        ids[~from_beam] = np.tile(frequent_clusters, n_empty)
        scores[~from_beam] = np.tile(frequent_scores, n_empty)
        return NodeScores(offsets_of(filled_counts), ids, scores, np.zeros_like(scores))


def count_matched_levels(matcher, matcher_level, level_sizes):
    """Return the number of levels, from the root, that a custom matcher replaces.

    Parameters
    ----------
    matcher : classifier or None
        Parameter of the classifier; None replaces no level.
    matcher_level : int
        Level whose clusters the matcher scores: 1 for the children of the root, -1 for the leaf
        clusters.
    level_sizes : tuple of int
        Number of nodes of each level of the tree, the labels last.

    Returns
    -------
    int
        0 without a matcher, or if the tree is one cluster with one label.

    Raises
    ------
    ValueError
        If the tree has no such level of clusters.
    """
    if matcher is None:
        return 0
    n_cluster_levels = len(level_sizes) - 1
    if level_sizes == (1,):
        return 0
    if n_cluster_levels == 0:
        raise ValueError(
            "matcher must be None if all labels are in one cluster; got an estimator. Reduce "
            "max_leaf_size to get several clusters."
        )
    if matcher_level == 0 or not -n_cluster_levels <= matcher_level <= n_cluster_levels:
        raise ValueError(
            f"matcher_level must be from 1 to {n_cluster_levels}, the number of levels of clusters "
            f"of this tree, or from -1 to {-n_cluster_levels}, counted from the leaf clusters; got "
            f"{matcher_level}."
        )
    return matcher_level if matcher_level > 0 else n_cluster_levels + 1 + matcher_level


def find_varying_columns(M):
    """Return the columns that have stored entries in some rows, but not in all.

    Parameters
    ----------
    M : csc_array of shape (n_samples, n_clusters)
        Positive rows of each cluster.

    Returns
    -------
    ndarray of int32
    """
    counts = np.diff(M.indptr)
    return np.flatnonzero((counts > 0) & (counts < M.shape[0])).astype(np.int32)


def fit_matcher(estimator, X, M, *, seed, sample_weight=None):
    """Fit a clone of a multilabel classifier to predict the clusters of a level.

    Clusters that are positive for no training row, or for all of them, are not part of the target.
    If only one cluster remains, the target is 1-D.

    Parameters
    ----------
    estimator : classifier
        With `fit` and `predict_proba`. `predict_proba` may return a sparse or a dense array, or a
        list with one array per column, as many multilabel classifiers do. The classifier must not
        keep state between predictions, because threads share it.
    X : TrainingRows
        Training rows. The classifier gets CSR, float32.
    M : csc_array of shape (n_samples, n_clusters)
        Positive rows of each cluster, from `LabelHierarchy.node_targets`. The classifier gets a
        dense int8 indicator if it has at most MAX_DENSE_TARGETS entries, else a CSR indicator.
    seed : int
        Value for each `random_state` of the classifier that is None.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the rows.

    Returns
    -------
    EstimatorMatcher
        Matcher for this level; `with_levels` extends it to the leaf clusters.

    Raises
    ------
    ValueError
        If `predict_proba` does not return a probability for each row and cluster. Errors of the
        classifier itself are passed on.
    """
    n_samples = M.shape[0]
    frequencies = np.diff(M.indptr) / n_samples
    clusters = find_varying_columns(M)
    if not len(clusters):
        return EstimatorMatcher(None, clusters, frequencies, [], X.n_features, n_samples)
    rows = X.to_csr()
    targets = M[:, clusters].tocsr()
    ones = np.ones(targets.nnz, dtype=np.int8)
    targets = as_public_csr(targets.indptr, targets.indices, ones, targets.shape)
    if n_samples * len(clusters) <= MAX_DENSE_TARGETS:
        targets = targets.toarray() if len(clusters) > 1 else targets.toarray().ravel()
    model = clone_with_seed(estimator, seed)
    try:
        fit_weighted(model, rows, targets, sample_weight)
    except (TypeError, ValueError) as error:
        if sp.issparse(targets):
            error.add_note(
                f"The target of the matcher is a sparse matrix, because its shape {targets.shape} "
                "is too large for a dense array. Use a classifier that supports sparse targets, or "
                "fewer clusters: a matcher_level nearer to the root, or a larger max_leaf_size."
            )
        raise
    # Sparse probabilities of all rows need little memory. Dense ones are computed in blocks.
    proba = model.predict_proba(rows[:1])
    _check_probabilities(proba, 1, len(clusters))
    max_call_rows = n_samples if sp.issparse(proba) else max(1, BLOCK_SCORES // len(clusters))
    return EstimatorMatcher(model, clusters, frequencies, [], X.n_features, max_call_rows)


def _check_probabilities(proba, n_rows, n_clusters):
    """Validate the result of `predict_proba`; return it as CSR with positive entries only."""
    if isinstance(proba, list):
        widths = {np.shape(column)[1:] for column in proba}
        if widths != {(2,)}:
            raise ValueError(
                "matcher.predict_proba must return arrays of two columns, one array per cluster, "
                "if it returns a list; got arrays of shapes "
                f"{sorted({np.shape(column) for column in proba})}."
            )
        proba = np.column_stack([column[:, 1] for column in proba])
    elif n_clusters == 1 and proba.shape == (n_rows, 2):
        proba = proba[:, 1:]
    if proba.shape != (n_rows, n_clusters):
        raise ValueError(
            f"matcher.predict_proba must return shape {(n_rows, n_clusters)}, one column per "
            f"cluster; got {proba.shape}."
        )
    P = sp.csr_array(proba)
    if not P.has_canonical_format:
        P = P.copy()
        P.sum_duplicates()
    invalid = P.data[~((P.data >= 0) & (P.data <= 1 + ROUNDING_TOLERANCE))]
    if invalid.size:
        raise ValueError(
            f"matcher.predict_proba must return probabilities between 0 and 1; got {invalid[0]}."
        )
    # Dense probabilities of this library are at least MIN_SCORE, which means 0 here.
    if np.any(P.data <= MIN_SCORE):
        P = P.copy()
        P.data[P.data <= MIN_SCORE] = 0
        P.eliminate_zeros()
    return P
