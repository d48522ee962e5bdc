"""Train the levels of a tree together: clusters of all levels share the workers."""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skxmr._core.threads import balanced_blocks, run_tasks
from skxmr.linear._dual_solver import solve_cluster
from skxmr.linear.level_model import LevelModel


class LevelProblem(NamedTuple):
    """What the models of one level learn from.

    Attributes
    ----------
    rows : tuple
        (indptr int64, indices int32): the rows that each parent's children train on, rising.
    targets : tuple
        (indptr int64, indices int32): the positive rows of each child, rising.
    child_indptr : ndarray of shape (n_parents + 1,)
        The children of each parent.
    child_ids : ndarray of shape (n_children,)
        How a child is named in scores.
    seed : int
        Seeds the order of visits; each cluster has its own stream, so the result does not depend
        on which worker takes it.
    """

    rows: tuple
    targets: tuple
    child_indptr: np.ndarray
    child_ids: np.ndarray
    seed: int


def fit_levels(X, problems, *, C, tol, max_iter, weight_threshold, n_jobs):
    """Train every cluster of every level.

    Levels do not wait for each other: the root, one cluster over all rows, would keep other workers
    idle.

    Parameters
    ----------
    X : tuple
        (indptr int64, indices int32, data float32, n_features): canonical CSR rows.
    problems : list of LevelProblem
        Levels, in any number.
    C, tol, max_iter, weight_threshold : float, float, int, float
        Cost of errors, tolerance, sweeps, and the size below which weights are dropped.
    n_jobs : int or None
        As in joblib; the result does not depend on it.

    Returns
    -------
    list of LevelModel
    """
    # Each child sweeps over all rows of its cluster.
    costs = [np.diff(p.rows[0]) * np.diff(p.child_indptr) for p in problems]
    clusters = [(level, p) for level, cost in enumerate(costs) for p in range(len(cost))]
    blocks = balanced_blocks(np.concatenate([np.empty(0), *costs]), n_jobs)
    settings = (C, tol, max_iter, weight_threshold)
    tasks = [(X, [_cluster(problems, *clusters[i]) for i in block], settings) for block in blocks]
    chunks = [[None] * len(cost) for cost in costs]
    for block, solved in zip(blocks, run_tasks(_solve_block, tasks, n_jobs), strict=True):
        for i, chunk in zip(block, solved, strict=True):
            level, p = clusters[i]
            chunks[level][p] = chunk
    levels = []
    for problem in problems:
        # A level's chunks are joined, and freed, before the next level's are touched.
        levels.append(
            LevelModel.from_chunks(chunks.pop(0), problem.child_indptr, problem.child_ids, X[3])
        )
    return levels


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
    return max((level.n_iter for level in levels), default=0)


def _cluster(problems, level, parent):
    (row_indptr, rows), (target_indptr, target_rows), child_indptr, _, seed = problems[level]
    children = slice(child_indptr[parent], child_indptr[parent + 1] + 1)
    return (
        rows[row_indptr[parent] : row_indptr[parent + 1]],
        target_indptr[children],
        target_rows,
        seed + parent,
    )


def _solve_block(X, clusters, settings):
    # One task: it sees arrays only, so that any joblib backend can run it.
    indptr, indices, data, n_features = X
    scratch = np.zeros(n_features, dtype=np.int32)
    return [
        solve_cluster(indptr, indices, data, *targets, *settings, seed, scratch)
        for *targets, seed in clusters
    ]
