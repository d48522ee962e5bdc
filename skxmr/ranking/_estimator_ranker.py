"""A ranker of the user's own: any binary classifier, cloned for each label."""

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr._core.estimators import fit_weighted, seeded_clone
from skxmr._core.log_scores import log_probabilities
from skxmr._core.score_forms import OUTSIDE, join_rows
from skxmr._core.threads import BLOCK_SCORES, balanced_blocks, run_tasks
from skxmr._core.topk import best_of_rows
from skxmr._core.transforms import GIVEN_LOGARITHM, join_scores
from skxmr._core.validation import as_public_csr


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
        """Return itself: the threshold is for linear models, of which it has none."""
        if max_weights is not None:
            raise ValueError(
                f"max_weights_per_label={max_weights} is for the built-in ranker; what a ranker "
                "of your own learns is its own."
            )
        return self

    def rank(self, X, clusters, transform, k=0, best_first=False):
        """Score the labels of each row's clusters; see `OneVsAllRanker.rank`."""
        n_rows = len(X[0]) - 1
        rows = as_public_csr(*X[:3], (n_rows, X[3]))
        # All labels of the clusters stand side by side before the best are kept.
        widths = np.diff(self.child_indptr)[clusters[1]]
        work = offsets_of(widths)[clusters[0]]
        edges = np.flatnonzero(np.diff(work[:-1] // BLOCK_SCORES, prepend=-1))
        blocks = []
        for start, stop in zip(edges, [*edges[1:], n_rows], strict=True):
            at = slice(clusters[0][start], clusters[0][stop])
            indptr = clusters[0][start : stop + 1] - clusters[0][start]
            pairs = (indptr, clusters[1][at], clusters[2][at])
            scored = self._score(rows[start:stop], *pairs, transform)
            blocks.append(best_of_rows(*scored, k, best_first))
        return join_rows(blocks)

    def rank_row(self, x, clusters, transform, k):
        """Return the (labels, scores) of one row (indices, data), best first."""
        indptr = np.array([0, len(x[0])], dtype=np.int64)
        pairs = (np.array([0, len(clusters[0])], dtype=np.int64), *clusters)
        return self.rank((indptr, *x, self.n_features), pairs, transform, k, True)[1:]

    def _score(self, rows, indptr, ids, parent_scores, transform):
        # (indptr, labels, scores) of all labels, those of a pair side by side.
        pair_row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        first_of_pair = offsets_of(np.diff(self.child_indptr)[ids])
        labels = np.empty(first_of_pair[-1], dtype=np.int32)
        scores = np.empty(first_of_pair[-1], dtype=np.float32)
        order = np.argsort(ids, kind="stable")
        for pairs in np.split(order, np.flatnonzero(np.diff(ids[order])) + 1):
            if not len(pairs):
                continue  # no row has a cluster
            children = range(*self.child_indptr[ids[pairs[0]] :][:2])
            cluster_rows = rows[pair_row[pairs]]
            for child, place in zip(children, range(len(children)), strict=True):
                at = first_of_pair[pairs] + place
                labels[at] = self.child_ids[child]
                own, is_given = _own_scores(self.models[child], cluster_rows)
                joining = (GIVEN_LOGARITHM, *transform[1:]) if is_given else transform
                scores[at] = join_scores(parent_scores[pairs], own, joining, self.offsets[child])
        return first_of_pair[indptr], labels, scores


def fit_ranker(estimator, X, problem, offsets, *, n_jobs, sample_weight=None):
    """Fit a clone of a binary classifier for each label.

    A label learns to tell its positive rows from the other rows of its cluster. Slow, and large:
    a classifier object for each label, where the linear models share arrays.

    Parameters
    ----------
    estimator : classifier
        With `fit` and either `predict_proba` or `decision_function`. It must keep no state
        between predictions: threads share it.
    X : tuple
        (indptr, indices, data, n_features) of the training rows; the estimator sees CSR, float32.
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
    row_indptr, child_indptr = problem.rows[0], problem.child_indptr
    blocks = balanced_blocks(np.diff(row_indptr) * np.diff(child_indptr), n_jobs)
    # Rows stand by themselves: see `run_remotely`.
    tasks = [
        (estimator, *X, tuple(_cluster(problem, p) for p in block), sample_weight)
        for block in blocks
    ]
    models = [None] * int(child_indptr[-1])
    # Most of the time is Python's, and liblinear's random numbers are one stream for all threads.
    fitted_blocks = run_tasks(_fit_block, tasks, n_jobs, prefer="processes")
    for block, fitted in zip(blocks, fitted_blocks, strict=True):
        for p, cluster_models in zip(block, fitted, strict=True):
            models[child_indptr[p] : child_indptr[p + 1]] = cluster_models
    return EstimatorRanker(models, child_indptr, problem.child_ids, X[3], offsets)


def _cluster(problem, parent):
    (row_indptr, rows), (target_indptr, target_rows) = problem.rows, problem.targets
    first, last = problem.child_indptr[parent], problem.child_indptr[parent + 1]
    positives = [
        target_rows[target_indptr[child] : target_indptr[child + 1]] for child in range(first, last)
    ]
    return rows[row_indptr[parent] : row_indptr[parent + 1]], positives, problem.seed + int(first)


def _fit_block(estimator, indptr, indices, data, n_features, clusters, sample_weight):
    # One task: it sees arrays and the estimator, so that any joblib backend can run it.
    rows_of_all = as_public_csr(indptr, indices, data, (len(indptr) - 1, n_features))
    return [_fit_cluster(estimator, rows_of_all, *cluster, sample_weight) for cluster in clusters]


def _fit_cluster(estimator, X, rows, positives, seed, sample_weight):
    weights = None if sample_weight is None else sample_weight[rows]
    cluster_rows = X[rows]
    models = []
    for child, positive in enumerate(positives):
        targets = np.isin(rows, positive).astype(np.int8)
        if not targets.any() or targets.all():
            models.append(bool(targets.any()))
            continue
        model = seeded_clone(estimator, seed + child)
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
        return np.full(rows.shape[0], 0.0 if model else OUTSIDE, dtype=np.float32), True
    if hasattr(model, "predict_proba"):
        return log_probabilities(model.predict_proba(rows)[:, 1]), True
    return np.asarray(model.decision_function(rows), dtype=np.float32), False
