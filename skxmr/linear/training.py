"""Train the levels of a tree together: clusters of all levels share the workers."""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skxmr._core.progress import NO_PROGRESS
from skxmr._core.threads import balanced_blocks, run_tasks
from skxmr.linear._dual_solver import solve_cluster
from skxmr.linear.level_model import LevelModel
from skxmr.linear.weight_precision import quantise

# Their numbers in _lanes.h.
LOSSES = {"squared_hinge": 0, "hinge": 1, "log_loss": 2}


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
    target_costs : ndarray of float32 or None
        Times what an error costs on each of the positive rows, as `targets` lists them.
    """

    rows: tuple
    targets: tuple
    child_indptr: np.ndarray
    child_ids: np.ndarray
    seed: int
    target_costs: np.ndarray | None = None


class Solver(NamedTuple):
    """What the linear models minimise, and how far; see `_dual_solver`.

    Attributes
    ----------
    loss : {"squared_hinge", "hinge", "log_loss"}
        Loss of a row's margin.
    C : float
        Cost of errors.
    positive_weight : float
        Times this on positive rows.
    tol, max_iter : float, int
        Tolerance and most sweeps.
    weight_threshold : float
        Smaller weights are dropped.
    weight_dtype : {"float32", "float16", "int8"}
        How weights are kept; see `weight_precision`.
    """

    loss: str = "squared_hinge"
    C: float = 1.0
    positive_weight: float = 1.0
    tol: float = 0.1
    max_iter: int = 100
    weight_threshold: float = 0.1
    weight_dtype: str = "float32"

    def solve(self, *cluster, seed, scratch):
        """Train the children of one cluster; see `solve_cluster` for arguments and result.

        Beside the weights, rounded to their dtype, stands their scale.
        """
        loss, *how, weight_dtype = self
        chunk = solve_cluster(*cluster, LOSSES[loss], *how, seed, scratch)
        *before, weights, intercepts, n_iter, n_unsolved = chunk
        rounded = quantise(weights, weight_dtype)
        return (*before, *rounded, intercepts, n_iter, n_unsolved)


def fit_levels(X, problems, solver, *, row_costs=None, n_jobs=None, progress=NO_PROGRESS):
    """Train every cluster of every level.

    Levels do not wait for each other: the root, one cluster over all rows, would keep other workers
    idle.

    Parameters
    ----------
    X : tuple
        (indptr int64, indices int32, data float32, n_features): canonical CSR rows.
    problems : list of LevelProblem
        Levels, in any number.
    solver : Solver
        What each model minimises.
    row_costs : ndarray of shape (n_samples,), float32, or None
        Times what an error costs on each row.
    n_jobs : int or None
        As in joblib; the result does not depend on it.
    progress : Progress
        Told of each task that is done.

    Returns
    -------
    list of LevelModel
    """
    # Each child sweeps over all rows of its cluster.
    costs = [np.diff(p.rows[0]) * np.diff(p.child_indptr) for p in problems]
    clusters = [(level, p) for level, cost in enumerate(costs) for p in range(len(cost))]
    blocks = balanced_blocks(np.concatenate([np.empty(0), *costs]), n_jobs)
    tasks = [
        (X, row_costs, [_cluster(problems, *clusters[i]) for i in block], solver)
        for block in blocks
    ]
    on_done = progress.levels(
        [len(cost) for cost in costs],
        [len(p.child_ids) for p in problems],
        [len(p.rows[1]) for p in problems],
        _work_by_level(blocks, costs),
    )
    solved_blocks = run_tasks(_solve_block, tasks, n_jobs, on_done=on_done)
    chunks = [[None] * len(cost) for cost in costs]
    for block, solved in zip(blocks, solved_blocks, strict=True):
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
            stacklevel=4,
        )
    return max((level.n_iter for level in levels), default=0)


def _work_by_level(blocks, costs):
    # Of each block; a cluster without rows is little work too, and not none.
    levels = np.repeat(np.arange(len(costs)), [len(cost) for cost in costs])
    each = np.concatenate([np.empty(0), *costs]) + 1.0
    work = [np.bincount(levels[b], weights=each[b], minlength=len(costs)) for b in blocks]
    return np.array(work).reshape(len(blocks), len(costs))


def _cluster(problems, level, parent):
    (row_indptr, rows), (target_indptr, target_rows), child_indptr, _, seed, costs = problems[level]
    children = slice(child_indptr[parent], child_indptr[parent + 1] + 1)
    return (
        rows[row_indptr[parent] : row_indptr[parent + 1]],
        target_indptr[children],
        target_rows,
        costs,
        seed + parent,
    )


def _solve_block(X, row_costs, clusters, solver):
    # One task: it sees arrays only, so that any joblib backend can run it.
    indptr, indices, data, n_features = X
    scratch = np.zeros(n_features, dtype=np.int32)
    return [
        solver.solve(indptr, indices, data, *targets, row_costs, seed=seed, scratch=scratch)
        for *targets, seed in clusters
    ]
