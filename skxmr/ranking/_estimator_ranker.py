"""Custom rankers: any binary classifier, cloned for each label."""

from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr._core.estimators import clone_with_seed, fit_weighted
from skxmr._core.native_threads import limit_openmp_threads, limit_threads
from skxmr._core.node_scores import NodeScores, join_rows
from skxmr._core.row_search import RowScores
from skxmr._core.rows import Rows
from skxmr._core.score_forms import UNSCORED_LOG, to_log_scores
from skxmr._core.threads import BLOCK_SCORES, run_tasks, split_by_cost
from skxmr._core.topk import best_of_rows
from skxmr._core.transforms import LOG_PROBABILITY, SHAPES, LevelTransform, join_scores


class EstimatorRanker:
    """Score the labels of given clusters with one classifier per label.

    Created by `fit_ranker`. The score of a label joins the output of its classifier to the score of
    its cluster. The output is the probability if the classifier has `predict_proba`, else the
    transformed margin. This is slow: each classifier is called separately, and a call of a linear
    classifier takes 0.2 milliseconds even for a single row.

    Parameters
    ----------
    models : list of classifier or bool
        Classifier of each label, in tree order. True if the label has the score of its cluster,
        because it is positive for all training rows or the only label of the cluster. False if the
        label has no positive rows; it gets the minimum score.
    child_indptr : ndarray of shape (n_clusters + 1,), int64
        Start of the labels of each cluster, in tree order.
    child_ids : ndarray of shape (n_labels,), int32
        Label number at each position in the tree.
    n_features : int
        Number of columns of X.
    offsets : ndarray of shape (n_labels,), float32
        Offset of each label; see `OneVsAllRanker`.

    Attributes
    ----------
    uses_margins : bool
        Whether a label's score comes from a margin.
    """

    def __init__(self, models, child_indptr, child_ids, n_features, offsets):
        self.offsets = offsets
        self.uses_margins = any(
            not isinstance(model, bool) and not hasattr(model, "predict_proba") for model in models
        )
        self.models = models
        self.child_indptr = child_indptr
        self.child_ids = child_ids
        self.n_features = n_features

    @property
    def levels(self):
        """The linear models: an empty list."""
        return []

    def prune(self, weight_threshold, max_weights):
        """Return the ranker unchanged, because a threshold applies to linear models only."""
        if max_weights is not None:
            raise ValueError(
                "max_weights_per_label must be None if the model has a custom ranker; "
                f"got {max_weights}."
            )
        return self

    def rank(self, X, clusters, transform, k=0, best_first=False):
        """Score the labels in the clusters of each row; see `OneVsAllRanker.rank`."""
        rows = X.to_csr()
        # The scores of all labels of the clusters are in memory before the best are selected.
        # Rows are therefore scored in blocks. A block exceeds BLOCK_SCORES labels by less than the
        # labels of its last row.
        n_labels = np.diff(self.child_indptr)[clusters.ids]
        labels_before = offsets_of(n_labels)[clusters.indptr]
        starts = np.flatnonzero(np.diff(labels_before[:-1] // BLOCK_SCORES, prepend=-1))
        blocks = []
        for start, stop in zip(starts, [*starts[1:], X.n_rows], strict=True):
            scored = self._score(rows[start:stop], clusters.block(start, stop), transform)
            blocks.append(best_of_rows(*scored, k, best_first))
        return NodeScores(*join_rows(blocks))

    def rank_row(self, x, clusters, transform, k):
        """Return the `RowScores` of one `SparseRow`, best first."""
        X = Rows.of_row(x, self.n_features)
        _, *ranking = self.rank(X, NodeScores.of_row(clusters), transform, k, True)
        return RowScores.from_arrays(*ranking)

    def _score(self, rows, clusters, transform):
        # Score all labels of the clusters. A pair is a row and one of its clusters. Pairs are
        # grouped by cluster, so that each classifier is called once, with all rows of its cluster.
        row_of_pair = np.repeat(np.arange(clusters.n_rows), np.diff(clusters.indptr))
        start_of_pair = offsets_of(np.diff(self.child_indptr)[clusters.ids])
        labels = np.empty(start_of_pair[-1], dtype=np.int32)
        scores, margins = np.empty((2, start_of_pair[-1]), dtype=np.float32)
        order = np.argsort(clusters.ids, kind="stable")
        for pairs in np.split(order, np.flatnonzero(np.diff(clusters.ids[order])) + 1):
            if not len(pairs):
                continue  # no row has a cluster
            cluster = clusters.ids[pairs[0]]
            first_child, stop = self.child_indptr[cluster : cluster + 2]
            cluster_rows = rows[row_of_pair[pairs]]
            for child in range(first_child, stop):
                at = start_of_pair[pairs] + child - first_child
                labels[at] = self.child_ids[child]
                output = _evaluate(self.models[child], cluster_rows)
                shape = transform.shape if output.shape is None else output.shape
                is_only_child = stop - first_child == 1 and self.models[child] is True
                scores[at], margins[at] = join_scores(
                    clusters.scores[pairs],
                    clusters.margins[pairs],
                    output.values,
                    LevelTransform(
                        shape, transform.offset_weight, transform.weight, transform.path_weight
                    ),
                    np.full(len(pairs), self.offsets[child]),
                    np.full(len(pairs), is_only_child, dtype=np.uint8),
                )
        return NodeScores(start_of_pair[clusters.indptr], labels, scores, margins)


def fit_ranker(estimator, X, problem, offsets, *, n_jobs, sample_weight=None):
    """Fit a clone of a binary classifier for each label.

    The classifier of a label is trained to separate its positive rows from the other rows of its
    cluster. This takes much time and memory: each label has a classifier object, whereas linear
    models share arrays.

    Parameters
    ----------
    estimator : classifier
        With `fit` and either `predict_proba` or `decision_function`. It must not keep state between
        predictions, because threads share it.
    X : TrainingRows
        Training rows. The classifier gets CSR, float32.
    problem : LevelProblem
        Rows and targets of each label, as for linear models.
    offsets : ndarray of shape (n_labels,), float32
        Offset of each label; see `OneVsAllRanker`.
    n_jobs : int or None
        Number of processes, as in joblib. The result does not depend on it.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the rows.

    Returns
    -------
    EstimatorRanker
    """
    child_indptr, rows = problem.child_indptr, X.to_rows()
    blocks = split_by_cost(np.diff(problem.rows.indptr) * np.diff(child_indptr), n_jobs)
    # The arrays of X are separate arguments: see `run_remotely`.
    tasks = [
        (
            estimator,
            *rows[:4],
            tuple(_cluster_data(problem, cluster) for cluster in block),
            sample_weight,
        )
        for block in blocks
    ]
    models = [None] * int(child_indptr[-1])
    # Processes, because most of the time is spent in Python, and because all threads share the
    # random number generator of liblinear.
    with limit_threads():
        fitted_blocks = run_tasks(_fit_block, tasks, n_jobs, prefer="processes")
    for block, fitted in zip(blocks, fitted_blocks, strict=True):
        for cluster, cluster_models in zip(block, fitted, strict=True):
            models[child_indptr[cluster] : child_indptr[cluster + 1]] = cluster_models
    return EstimatorRanker(models, child_indptr, problem.child_ids, X.n_features, offsets)


class _ClusterData(NamedTuple):
    """Rows of a cluster, the positive rows of each of its labels, and the seed of the first.

    `inherits` is whether the only label of a cluster has the score of the cluster.
    """

    rows: np.ndarray
    positives: list
    seed: int
    inherits: bool


def _cluster_data(problem, cluster):
    first, stop = problem.child_indptr[cluster : cluster + 2]
    positives = [problem.targets.of(child) for child in range(first, stop)]
    inherits = problem.only_children_inherit and len(positives) == 1
    return _ClusterData(problem.rows.of(cluster), positives, problem.seed + int(first), inherits)


def _fit_block(estimator, indptr, indices, data, n_features, clusters, sample_weight):
    # One task. Its arguments are arrays and the estimator, so that every joblib backend can run it.
    X = Rows(indptr, indices, data, n_features).to_csr()
    with limit_openmp_threads():
        return [_fit_cluster(estimator, X, cluster, sample_weight) for cluster in clusters]


def _fit_cluster(estimator, X, cluster, sample_weight):
    if cluster.inherits:
        return [len(cluster.positives[0]) > 0]
    weights = None if sample_weight is None else sample_weight[cluster.rows]
    cluster_rows = X[cluster.rows]
    models = []
    for child, positive_rows in enumerate(cluster.positives):
        targets = np.isin(cluster.rows, positive_rows).astype(np.int8)
        if not targets.any() or targets.all():
            models.append(bool(targets.any()))
            continue
        model = clone_with_seed(estimator, cluster.seed + child)
        models.append(_sparsify(fit_weighted(model, cluster_rows, targets, weights)))
    return models


def _sparsify(model):
    # Save memory. The coefficients of features that do not occur in the cluster are 0.
    if hasattr(model, "sparsify") and 2 * np.count_nonzero(model.coef_) < model.coef_.size:
        model.sparsify()
        # scikit-learn multiplies only sparse matrices with equal dtypes, and rows are float32.
        model.coef_ = model.coef_.astype(np.float32)
    return model


class _Output(NamedTuple):
    """Values that a classifier predicts, one per row, and their shape, see `LevelTransform`.

    The shape None is the shape of the level.
    """

    values: np.ndarray
    shape: int | None


def _evaluate(model, rows):
    if isinstance(model, bool):
        values = np.full(rows.shape[0], 0.0 if model else UNSCORED_LOG, dtype=np.float32)
        return _Output(values, SHAPES["identity"])  # added to the score of the cluster
    if hasattr(model, "predict_proba"):
        return _Output(to_log_scores(model.predict_proba(rows)[:, 1]), LOG_PROBABILITY)
    return _Output(np.asarray(model.decision_function(rows), dtype=np.float32), None)
