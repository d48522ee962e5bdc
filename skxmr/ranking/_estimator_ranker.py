"""A ranker of the user's own: any binary classifier, cloned for each label."""

from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr._core.estimators import clone_with_seed, fit_weighted
from skxmr._core.node_scores import NodeScores, join_rows
from skxmr._core.rows import Rows
from skxmr._core.score_forms import UNSCORED_LOG, to_log_scores
from skxmr._core.threads import BLOCK_SCORES, run_tasks, split_by_cost
from skxmr._core.topk import best_of_rows
from skxmr._core.transforms import LOG_PROBABILITY, LevelTransform, join_scores


class EstimatorRanker:
    """Score the labels of given clusters with a classifier for each label.

    Made by `fit_ranker`. A label's score is its own joined to that of its cluster. Its own is the
    probability, if the classifier gives one, else the transformed margin. Slow: each classifier is
    called by itself, a fifth of a millisecond for a linear one, however few the rows.

    Parameters
    ----------
    models : list of classifier or bool
        By place in the tree. True stands for a label that was positive on all rows it had to
        learn from, and scores 1; False for one positive on none, which scores least.
    child_indptr : ndarray of shape (n_clusters + 1,), int64
        The labels of each cluster, by place.
    child_ids : ndarray of shape (n_labels,), int32
        Label at each place.
    n_features : int
        Number of columns of X.
    offsets : ndarray of shape (n_labels,), float32
        As for `OneVsAllRanker`.
    """

    def __init__(self, models, child_indptr, child_ids, n_features, offsets):
        self.offsets = offsets
        self.takes_margins = any(
            not isinstance(model, bool) and not hasattr(model, "predict_proba") for model in models
        )
        self.models = models
        self.child_indptr = child_indptr
        self.child_ids = child_ids
        self.n_features = n_features

    @property
    def levels(self):
        """The linear models: none."""
        return []

    def pruned(self, weight_threshold, max_weights):
        """Return the ranker unchanged: it has no linear models, to which a threshold applies."""
        if max_weights is not None:
            raise ValueError(
                "max_weights_per_label must be None if the model has a custom ranker; "
                f"got {max_weights}."
            )
        return self

    def rank(self, X, clusters, transform, k=0, best_first=False):
        """Score the labels of each row's clusters; see `OneVsAllRanker.rank`."""
        rows = X.to_csr()
        # All labels of the clusters are in memory before the best are kept, so rows are scored in
        # blocks of at most BLOCK_SCORES labels, or a single row.
        n_labels = np.diff(self.child_indptr)[clusters.ids]
        labels_before = offsets_of(n_labels)[clusters.indptr]
        starts = np.flatnonzero(np.diff(labels_before[:-1] // BLOCK_SCORES, prepend=-1))
        blocks = []
        for start, stop in zip(starts, [*starts[1:], X.n_rows], strict=True):
            scored = self._score(rows[start:stop], clusters.block(start, stop), transform)
            blocks.append(best_of_rows(*scored, k, best_first))
        return join_rows(blocks)

    def rank_row(self, x, clusters, transform, k):
        """Return the (labels, scores) of one row (indices, data), best first."""
        indices, data = x
        ids, scores = clusters
        X = Rows(np.array([0, len(indices)], dtype=np.int64), indices, data, self.n_features)
        clusters = NodeScores(np.array([0, len(ids)], dtype=np.int64), ids, scores)
        ranking = self.rank(X, clusters, transform, k, True)
        return ranking.ids, ranking.scores

    def _score(self, rows, clusters, transform):
        # Score all labels of the clusters. Each label is called with all rows of its cluster.
        pair_row = np.repeat(np.arange(clusters.n_rows), np.diff(clusters.indptr))
        first_of_pair = offsets_of(np.diff(self.child_indptr)[clusters.ids])
        labels = np.empty(first_of_pair[-1], dtype=np.int32)
        scores = np.empty(first_of_pair[-1], dtype=np.float32)
        order = np.argsort(clusters.ids, kind="stable")
        for pairs in np.split(order, np.flatnonzero(np.diff(clusters.ids[order])) + 1):
            if not len(pairs):
                continue  # no row has a cluster
            cluster = clusters.ids[pairs[0]]
            first_child = self.child_indptr[cluster]
            cluster_rows, parent_scores = rows[pair_row[pairs]], clusters.scores[pairs]
            for child in range(first_child, self.child_indptr[cluster + 1]):
                at = first_of_pair[pairs] + child - first_child
                labels[at] = self.child_ids[child]
                values, is_probability = _own_scores(self.models[child], cluster_rows)
                shape = LOG_PROBABILITY if is_probability else transform.shape
                own_transform = LevelTransform(shape, transform.offset_weight)
                offset = self.offsets[child]
                scores[at] = join_scores(parent_scores, values, own_transform, offset)
        return NodeScores(first_of_pair[clusters.indptr], labels, scores)


def fit_ranker(estimator, X, problem, offsets, *, n_jobs, sample_weight=None):
    """Fit a clone of a binary classifier for each label.

    A label learns to tell its positive rows from the other rows of its cluster. Slow, and large:
    a classifier object for each label, where the linear models share arrays.

    Parameters
    ----------
    estimator : classifier
        With `fit` and either `predict_proba` or `decision_function`. It must keep no state
        between predictions: threads share it.
    X : Rows
        Training rows; the estimator sees CSR, float32.
    problem : LevelProblem
        The labels' level: rows and targets of each label, as the linear models learn from.
    offsets : ndarray of shape (n_labels,), float32
        By place in the tree; as `rarity_offsets` makes them.
    n_jobs : int or None
        Processes, as in joblib; the result does not depend on it.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the rows, for an estimator that takes them.

    Returns
    -------
    EstimatorRanker
    """
    child_indptr = problem.child_indptr
    blocks = split_by_cost(np.diff(problem.rows.indptr) * np.diff(child_indptr), n_jobs)
    # The arrays of X are separate arguments: see `run_remotely`.
    tasks = [
        (estimator, *X, tuple(_cluster_data(problem, cluster) for cluster in block), sample_weight)
        for block in blocks
    ]
    models = [None] * int(child_indptr[-1])
    # Processes, because most of the time is spent in Python, and because all threads share the
    # random numbers of liblinear.
    fitted_blocks = run_tasks(_fit_block, tasks, n_jobs, prefer="processes")
    for block, fitted in zip(blocks, fitted_blocks, strict=True):
        for cluster, cluster_models in zip(block, fitted, strict=True):
            models[child_indptr[cluster] : child_indptr[cluster + 1]] = cluster_models
    return EstimatorRanker(models, child_indptr, problem.child_ids, X.n_features, offsets)


class _ClusterData(NamedTuple):
    """Rows of a cluster, the positive rows of each of its labels, and a seed."""

    rows: np.ndarray
    positives: list
    seed: int


def _cluster_data(problem, cluster):
    first, stop = problem.child_indptr[cluster : cluster + 2]
    positives = [problem.targets.of(child) for child in range(first, stop)]
    return _ClusterData(problem.rows.of(cluster), positives, problem.seed + int(first))


def _fit_block(estimator, indptr, indices, data, n_features, clusters, sample_weight):
    # One task. Its arguments are arrays and the estimator, so that every joblib backend can run it.
    X = Rows(indptr, indices, data, n_features).to_csr()
    return [_fit_cluster(estimator, X, cluster, sample_weight) for cluster in clusters]


def _fit_cluster(estimator, X, cluster, sample_weight):
    weights = None if sample_weight is None else sample_weight[cluster.rows]
    cluster_rows = X[cluster.rows]
    models = []
    for child, positive in enumerate(cluster.positives):
        targets = np.isin(cluster.rows, positive).astype(np.int8)
        if not targets.any() or targets.all():
            models.append(bool(targets.any()))
            continue
        model = clone_with_seed(estimator, cluster.seed + child)
        models.append(_compact(fit_weighted(model, cluster_rows, targets, weights)))
    return models


def _compact(model):
    # A linear model is 0 for features that its cluster does not know: most of them, if many.
    if hasattr(model, "sparsify") and 2 * np.count_nonzero(model.coef_) < model.coef_.size:
        model.sparsify()
        # scikit-learn multiplies sparse matrices of one type only, and rows are float32.
        model.coef_ = model.coef_.astype(np.float32)
    return model


def _own_scores(model, rows):
    # Log probabilities of one label, or margins; and whether they are the former.
    if isinstance(model, bool):
        return np.full(rows.shape[0], 0.0 if model else UNSCORED_LOG, dtype=np.float32), True
    if hasattr(model, "predict_proba"):
        return to_log_scores(model.predict_proba(rows)[:, 1]), True
    return np.asarray(model.decision_function(rows), dtype=np.float32), False
