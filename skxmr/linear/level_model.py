"""The linear models of one tree level, trained cluster by cluster and stored by chunk."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skxmr._core.arrays import offsets_of
from skxmr._core.threads import balanced_blocks, run_tasks
from skxmr.linear._dual_solver import solve_cluster
from skxmr.linear._scoring import LevelScorer
from skxmr.linear.feature_sets import pack_features, rank_features

# Where a level has no wider chunk, its weights are scored from dense vectors of this many children.
DENSE_CHILDREN = 16


class LevelModel:
    """Weights of one level: a one-vs-all linear model for each child of each parent.

    The weights of the children of one parent form a *chunk*. Made by `fit`; immutable.

    Parameters
    ----------
    arrays : dict of ndarray
        ``child_indptr`` int64 (n_parents + 1,), the children of each parent;
        ``child_ids`` int32 (n_children,), how a child is named in scores;
        ``intercepts`` float32 (n_children,);
        ``summaries`` uint64 (n_parents, n_summary) and ``words`` uint64 (n_words + 1,), the
        features of each chunk, see `feature_sets`;
        ``entry_counts`` (n chunk features,), the number of weights of each; ``entry_children`` and
        ``entry_weights`` float32, these weights and whose they are, counted inside the chunk.
        Counts and children have 8 bits where these are enough, else 16.
    n_features : int
        Number of columns of X.
    n_iter : int
        Largest number of sweeps that a child took.
    n_unsolved : int
        Number of children that did not reach the tolerance.
    """

    def __init__(self, arrays, n_features, n_iter, n_unsolved):
        self.arrays = arrays
        self.n_features = n_features
        self.n_iter = n_iter
        self.n_unsolved = n_unsolved
        self._scorer = _make_scorer(**arrays)

    def __getstate__(self):
        """Leave the scorer, which follows from the arrays, out of pickles."""
        return {name: value for name, value in vars(self).items() if name != "_scorer"}

    def __setstate__(self, state):
        """Make the scorer anew."""
        self.__init__(**state)

    @classmethod
    def fit(
        cls,
        X,
        rows,
        targets,
        child_indptr,
        child_ids,
        *,
        C,
        tol,
        max_iter,
        weight_threshold,
        seed,
        n_jobs,
    ):
        """Train every cluster.

        Parameters
        ----------
        X : tuple
            (indptr int64, indices int32, data float32, n_features): canonical CSR rows.
        rows : tuple
            (indptr int64, indices int32): the rows that each parent's children train on, rising.
        targets : tuple
            (indptr int64, indices int32): the positive rows of each child, rising.
        child_indptr, child_ids : ndarray
            The children of each parent, and their names; see the class.
        C, tol, max_iter, weight_threshold : float, float, int, float
            Cost of errors, tolerance, sweeps, and the size below which weights are dropped.
        seed : int
            Seeds the order of visits; each cluster has its own stream, so the result does not
            depend on `n_jobs`.
        n_jobs : int or None
            As in joblib.

        Returns
        -------
        LevelModel
        """
        n_features = X[3]
        row_indptr, target_indptr = rows[0], targets[0]
        n_parents = len(child_indptr) - 1
        # Each child sweeps over all rows of its cluster.
        costs = np.diff(row_indptr) * np.diff(child_indptr)
        blocks = balanced_blocks(costs, n_jobs)
        tasks = [
            (
                X,
                [
                    (
                        rows[1][row_indptr[p] : row_indptr[p + 1]],
                        target_indptr[child_indptr[p] : child_indptr[p + 1] + 1],
                        seed + int(p),
                    )
                    for p in block
                ],
                targets[1],
                (C, tol, max_iter, weight_threshold),
            )
            for block in blocks
        ]
        chunks = [None] * n_parents
        for block, solved in zip(blocks, run_tasks(_solve_block, tasks, n_jobs), strict=True):
            for p, chunk in zip(block, solved, strict=True):
                chunks[p] = chunk
        features, counts, children, weights, intercepts, n_iter, n_unsolved = zip(
            *chunks, strict=True
        )
        feature_indptr = offsets_of([len(f) for f in features])
        summaries, words = pack_features(feature_indptr, np.concatenate(features), n_features)
        arrays = {
            "child_indptr": child_indptr,
            "child_ids": child_ids,
            "intercepts": np.concatenate(intercepts),
            "summaries": summaries,
            "words": words,
            "entry_counts": _narrow(np.concatenate(counts)),
            "entry_children": _narrow(np.concatenate(children)),
            "entry_weights": np.concatenate(weights),
        }
        return cls(arrays, n_features, max(n_iter), sum(n_unsolved))

    def expand(self, X, parents, keep, best_first=False):
        """Score the children of each row's parents and keep the best.

        Parameters
        ----------
        X : tuple
            (indptr, indices, data, n_features), as in `fit`.
        parents : tuple
            (indptr int64, ids int32, log scores float32): a CSR matrix, ids rising in each row.
        keep : int
            Most children kept a row; 0 keeps all.
        best_first : bool
            Order each row by falling score, not by rising id.

        Returns
        -------
        tuple
            (indptr, ids, log scores) of the children.
        """
        return self._scorer.expand(X[0], X[1], X[2], *parents, keep, best_first)

    def expand_row(self, x, parents, keep, best_first=False):
        """Score one row (indices, data); parents and the result are (ids, log scores)."""
        return self._scorer.expand_row(*x, *parents, keep, best_first)


def count_sweeps(levels, max_iter):
    """Return the largest number of sweeps of all levels; warn if `max_iter` stopped a model."""
    n_unsolved = sum(level.n_unsolved for level in levels)
    if n_unsolved:
        warnings.warn(
            f"{n_unsolved} linear models did not converge in max_iter={max_iter} sweeps; scaling "
            "the rows to unit length helps, as does a larger max_iter or tol, or a smaller C.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return max(level.n_iter for level in levels)


def _narrow(values):
    return values.astype(np.uint8 if values.max(initial=0) < 2**8 else np.uint16)


def _make_scorer(
    child_indptr,
    child_ids,
    intercepts,
    summaries,
    words,
    entry_counts,
    entry_children,
    entry_weights,
):
    word_indptr, summary_ranks, word_ranks, feature_indptr = rank_features(summaries, words)
    table = offsets = entry_indptr = None
    if np.diff(child_indptr).max() <= DENSE_CHILDREN:
        table = _aligned_zeros(len(entry_counts), DENSE_CHILDREN)
        feature = np.repeat(np.arange(len(entry_counts)), entry_counts)
        table[feature, entry_children] = entry_weights
    else:
        before = offsets_of(entry_counts)
        entry_indptr = before[feature_indptr]
        # For each chunk where the entries of its features start, and where the last ones end.
        ends = np.repeat(np.arange(len(feature_indptr) - 1), np.diff(feature_indptr) + 1)
        at = np.arange(len(entry_counts) + len(feature_indptr) - 1) - ends
        offsets = (before[at] - entry_indptr[ends]).astype(np.uint32)
    return LevelScorer(
        child_indptr,
        child_ids,
        intercepts,
        summaries,
        summary_ranks,
        word_indptr,
        words,
        word_ranks,
        feature_indptr,
        table,
        offsets,
        entry_indptr,
        entry_children,
        entry_weights,
    )


def _aligned_zeros(n_rows, n_columns):
    # Rows of 64 bytes on cache lines of their own.
    room = np.zeros(n_rows * n_columns + 16, dtype=np.float32)
    start = -room.ctypes.data % 64 // 4
    return room[start : start + n_rows * n_columns].reshape(n_rows, n_columns)


def _solve_block(X, clusters, target_rows, settings):
    # One task: it sees arrays only, so that any joblib backend can run it.
    indptr, indices, data, n_features = X
    scratch = np.zeros(n_features, dtype=np.int32)
    return [
        solve_cluster(
            indptr, indices, data, rows, child_indptr, target_rows, *settings, seed, scratch
        )
        for rows, child_indptr, seed in clusters
    ]
