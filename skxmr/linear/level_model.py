"""The linear models of one tree level, trained cluster by cluster and stored by chunk."""

import numpy as np

from skxmr._core.threads import balanced_blocks, run_tasks
from skxmr.linear._dual_solver import solve_cluster
from skxmr.linear._scoring import LevelScorer


class LevelModel:
    """Weights of one level: a one-vs-all linear model for each child of each parent.

    The weights of the children of one parent form a *chunk*. Made by `fit`; immutable.

    Parameters
    ----------
    arrays : dict of ndarray
        ``child_indptr`` int64 (n_parents + 1,), the children of each parent;
        ``child_ids`` int32 (n_children,), how a child is named in scores;
        ``intercepts`` float32 (n_children,);
        ``feature_indptr`` int64 (n_parents + 1,), the features of each chunk in
        ``features`` int32, rising inside a chunk;
        ``entry_indptr`` int64 (n_parents + 1,), the entries of each chunk;
        ``entry_offsets`` uint32 (n chunk features + 1,), where the entries of a feature start,
        modulo 2**32; ``entry_children`` uint16 and ``entry_weights`` float32, the entries.
    n_features : int
        Number of columns of X.
    n_iter : int
        Largest number of sweeps that a child took.
    """

    def __init__(self, arrays, n_features, n_iter):
        self.arrays = arrays
        self.n_features = n_features
        self.n_iter = n_iter
        self._scorer = LevelScorer(**arrays, n_features=n_features)

    def __getstate__(self):
        """Leave the scorer, which only views the arrays, out of pickles."""
        return {"arrays": self.arrays, "n_features": self.n_features, "n_iter": self.n_iter}

    def __setstate__(self, state):
        """Make the scorer anew."""
        self.__init__(**state)

    @property
    def n_weights(self):
        """Number of stored weights, intercepts not counted."""
        return len(self.arrays["entry_weights"])

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
        features, counts, children, weights, intercepts, n_iter = zip(*chunks, strict=True)
        arrays = {
            "child_indptr": child_indptr,
            "child_ids": child_ids,
            "intercepts": np.concatenate(intercepts),
            "feature_indptr": _offsets([len(f) for f in features]),
            "features": np.concatenate(features),
            "entry_indptr": _offsets([len(w) for w in weights]),
            "entry_offsets": _offsets(np.concatenate(counts)).astype(np.uint32),
            "entry_children": np.concatenate(children),
            "entry_weights": np.concatenate(weights),
        }
        return cls(arrays, n_features, max(n_iter))

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


def _offsets(lengths):
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


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
