"""A matcher of the user's own: any multilabel classifier over the clusters of a level."""

import copy

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import as_public_csr, offsets_of
from skxmr._core.estimators import clone_with_seed, fit_weighted
from skxmr._core.node_scores import NodeScores, join_rows
from skxmr._core.rows import Rows
from skxmr._core.score_forms import to_log_scores
from skxmr._core.score_rule import MIN_SCORE
from skxmr._core.threads import BLOCK_SCORES
from skxmr._core.topk import best_of_rows
from skxmr._core.transforms import LOG_PROBABILITY, LevelTransform, join_scores

# Most classifiers of scikit-learn take no sparse targets, and some take them and learn nonsense,
# so targets are dense up to this many entries of a byte each.
DENSE_TARGETS = 2**26


class EstimatorMatcher:
    """Score the clusters of one level with a classifier, those below with linear models.

    Made by `fit_matcher`. A row keeps the `beam_width` clusters of the largest probability above
    0, equal ones by lower number. A row without any keeps the most frequent clusters, scored by
    their share of the training rows: all that is known of a row of which nothing is known.

    Parameters
    ----------
    estimator : classifier or None
        Fitted on the indicator of `columns`; None where there are none.
    columns : ndarray of shape (n_columns,), int32
        Clusters that `estimator` tells: those right for some, not all, of the training rows.
    shares : ndarray of shape (n_clusters,), float64
        Part of the training rows that each cluster is right for.
    levels : list of LevelModel
        Linear models of the levels of clusters below.
    n_features : int
        Number of columns of X.
    n_call : int
        Most rows given to `estimator` at once.
    """

    def __init__(self, estimator, columns, shares, levels, n_features, n_call):
        self.estimator = estimator
        self.columns = columns
        self.shares = shares
        self.levels = levels
        self.n_features = n_features
        self.n_call = n_call

    def with_levels(self, levels):
        """Return the same matcher with linear models for the levels of clusters below."""
        twin = copy.copy(self)
        twin.levels = levels
        return twin

    def match(self, X, beam_width, transforms):
        """Return the best leaf clusters of each row; see `RecursiveLinearMatcher.match`.

        The probabilities replace the scores of all levels down to that of `estimator`.
        """
        rows = X.to_csr()
        beam = join_rows(
            [
                self._best_clusters(rows[start : start + self.n_call], beam_width)
                for start in range(0, X.n_rows, self.n_call)
            ]
        )
        root_scores = np.zeros_like(beam.scores)
        scores = join_scores(root_scores, beam.scores, LevelTransform(LOG_PROBABILITY))
        beam = beam._replace(scores=scores)
        n_replaced = len(transforms) - len(self.levels)
        for level, transform in zip(self.levels, transforms[n_replaced:], strict=True):
            beam = level.expand(X, beam, beam_width or 0, transform)
        return beam

    def match_row(self, x, beam_width, transforms):
        """Return the (ids, scores) of the best leaf clusters of one row (indices, data)."""
        indices, data = x
        indptr = np.array([0, len(indices)], dtype=np.int64)
        X = Rows(indptr, indices, data, self.n_features)
        beam = self.match(X, beam_width, transforms)
        return beam.ids, beam.scores

    def _best_clusters(self, rows, beam_width):
        certain = np.flatnonzero(self.shares == 1).astype(np.int32)
        P = sp.csr_array((rows.shape[0], 0))
        if self.estimator is not None:
            P = _probabilities(self.estimator, rows, len(self.columns))
        if len(certain):
            P = sp.hstack([P, np.ones((rows.shape[0], len(certain)))], format="csr")
        ids = np.concatenate([self.columns, certain])[P.indices]
        logs = to_log_scores(P.data)
        best = best_of_rows(P.indptr.astype(np.int64), ids, logs, beam_width or 0, False)
        return self._fill_empty_rows(NodeScores(*best), beam_width)

    def _fill_empty_rows(self, best, beam_width):
        # Rows without clusters get the most frequent ones.
        counts = np.diff(best.indptr)
        n_empty = np.count_nonzero(counts == 0)
        if n_empty == 0:
            return best
        n_clusters = len(self.shares)
        _, frequent_ids, frequent_logs = best_of_rows(
            np.array([0, n_clusters]),
            np.arange(n_clusters, dtype=np.int32),
            to_log_scores(self.shares),
            beam_width or 0,
            False,
        )
        counts_after = np.where(counts == 0, len(frequent_ids), counts)
        from_best = np.repeat(counts > 0, counts_after)
        ids = np.empty(len(from_best), dtype=np.int32)
        logs = np.empty(len(from_best), dtype=np.float32)
        ids[from_best], logs[from_best] = best.ids, best.scores
        ids[~from_best] = np.tile(frequent_ids, n_empty)
        logs[~from_best] = np.tile(frequent_logs, n_empty)
        return NodeScores(offsets_of(counts_after), ids, logs)


def count_matched_levels(matcher, matcher_level, level_sizes):
    """Return how many levels of the tree a matcher takes the place of.

    Parameters
    ----------
    matcher : classifier or None
        The parameter of the classifier; None takes the place of no level.
    matcher_level : int
        Level whose clusters it tells: 1 is the root's children, -1 the leaf clusters.
    level_sizes : tuple of int
        Number of nodes of each level of the tree, the labels last.

    Returns
    -------
    int
        0 without a matcher, and where there is but one label.

    Raises
    ------
    ValueError
        If the tree has no such level of clusters.
    """
    if matcher is None:
        return 0
    n_clusterings = len(level_sizes) - 1
    if level_sizes == (1,):
        return 0
    if n_clusterings == 0:
        raise ValueError(
            "matcher needs clusters to choose from, but all labels are in one cluster; make "
            "max_leaf_size smaller or leave matcher=None."
        )
    if matcher_level == 0 or not -n_clusterings <= matcher_level <= n_clusterings:
        raise ValueError(
            f"matcher_level must be from 1 to {n_clusterings}, the levels of clusters of this "
            f"tree, or from -1 to {-n_clusterings}, counted from the leaf clusters; got "
            f"{matcher_level}."
        )
    return matcher_level if matcher_level > 0 else n_clusterings + 1 + matcher_level


def informative_columns(M):
    """Return the clusters that need telling: right for some rows, but not for all.

    Parameters
    ----------
    M : csc_array of shape (n_samples, n_clusters)
        Pattern of the rows that each cluster is right for.

    Returns
    -------
    ndarray of int32
    """
    counts = np.diff(M.indptr)
    return np.flatnonzero((counts > 0) & (counts < M.shape[0])).astype(np.int32)


def fit_matcher(estimator, X, M, *, seed, sample_weight=None):
    """Fit a clone of a multilabel classifier to tell clusters.

    Clusters that are right for no training row or for all of them need no telling and are left
    out; the target of a single one is 1-D.

    Parameters
    ----------
    estimator : classifier
        With `fit` and `predict_proba`, whose answer may be sparse, dense, or the list of one array
        a column that many multilabel classifiers give. It must keep no state between predictions:
        threads share it.
    X : Rows
        Training rows; the estimator sees CSR, float32.
    M : csc_array of shape (n_samples, n_clusters)
        Pattern of the rows that each cluster is right for, from `LabelHierarchy.node_targets`. The
        estimator sees a dense int8 indicator of at most `DENSE_TARGETS` entries, or a CSR one.
    seed : int
        For each `random_state` of the estimator that is None.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the rows, for an estimator that takes them.

    Returns
    -------
    EstimatorMatcher
        Of clusters of this level; `with_levels` takes it down to the leaf clusters.

    Raises
    ------
    ValueError
        If `predict_proba` does not give a probability for each row and cluster. Errors of the
        estimator itself come through.
    """
    n_samples = M.shape[0]
    counts = np.diff(M.indptr)
    columns = informative_columns(M)
    shares = counts / n_samples
    if not len(columns):
        return EstimatorMatcher(None, columns, shares, [], X.n_features, n_samples)
    rows = X.to_csr()
    targets = M[:, columns].tocsr()
    ones = np.ones(targets.nnz, dtype=np.int8)
    targets = as_public_csr(targets.indptr, targets.indices, ones, targets.shape)
    if n_samples * len(columns) <= DENSE_TARGETS:
        targets = targets.toarray() if len(columns) > 1 else targets.toarray().ravel()
    model = clone_with_seed(estimator, seed)
    try:
        fit_weighted(model, rows, targets, sample_weight)
    except (TypeError, ValueError) as error:
        if sp.issparse(targets):
            error.add_note(
                f"matcher was given a sparse target of shape {targets.shape}, too large for a "
                "dense one; it needs a classifier that takes these, or fewer clusters "
                "(matcher_level nearer to the root, a larger max_leaf_size)."
            )
        raise
    # An answer that is sparse costs what is in it; any other is kept to a block.
    answer = model.predict_proba(rows[:1])
    _as_sparse(answer, 1, len(columns))
    n_call = n_samples if sp.issparse(answer) else max(1, BLOCK_SCORES // len(columns))
    return EstimatorMatcher(model, columns, shares, [], X.n_features, n_call)


def _probabilities(estimator, rows, n_columns):
    return _as_sparse(estimator.predict_proba(rows), rows.shape[0], n_columns)


def _as_sparse(answer, n_rows, n_columns):
    # What a predict_proba says, as CSR of positive entries.
    if isinstance(answer, list):
        widths = {np.shape(column)[1:] for column in answer}
        if widths != {(2,)}:
            raise ValueError(
                "matcher.predict_proba must give two columns for each cluster where it gives a "
                f"list of arrays; got arrays of {sorted(widths)} columns."
            )
        answer = np.column_stack([column[:, 1] for column in answer])
    elif n_columns == 1 and answer.shape == (n_rows, 2):
        answer = answer[:, 1:]
    if answer.shape != (n_rows, n_columns):
        raise ValueError(
            f"matcher.predict_proba must give shape {(n_rows, n_columns)}, a column for each "
            f"cluster; got {answer.shape}."
        )
    P = sp.csr_array(answer)
    if not P.has_canonical_format:
        P = P.copy()
        P.sum_duplicates()
    # Rounding may carry a probability a little beyond 1.
    wrong = P.data[~((P.data >= 0) & (P.data <= 1 + 1e-5))]
    if wrong.size:
        raise ValueError(
            f"matcher.predict_proba must give probabilities between 0 and 1; got {wrong[0]}."
        )
    # Dense answers of this library, which lie above 0, have this for 0.
    if np.any(P.data <= MIN_SCORE):
        P = P.copy()
        P.data[P.data <= MIN_SCORE] = 0
        P.eliminate_zeros()
    return P
