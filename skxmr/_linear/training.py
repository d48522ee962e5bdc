"""Train the levels of a tree together: clusters of all levels share the workers."""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skxmr._core.progress import NO_PROGRESS
from skxmr._core.threads import run_tasks
from skxmr._linear.dual_solver import solve_cluster
from skxmr._linear.level_blocks import cut_levels, cut_out
from skxmr._linear.level_model import join_chunks
from skxmr._linear.pruning import prune_chunk
from skxmr._linear.weight_precision import quantise
from skxmr._linear.weight_stores import MemoryStore

# What a row costs a cluster beside the children that sweep over it, in children: its features are
# brought in, and lanes without a child sweep too. On WordNet, 99 children took 2.7 times as long a
# row as 16; on Debian's packages, 72 took 2.4 times, and 2 children nearly as long as 16.
ROW_CHILDREN = 24

# Their numbers in lanes.h.
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
    max_weights : int or None
        Most weights that are kept of each child; see `prune_level`.
    """

    rows: tuple
    targets: tuple
    child_indptr: np.ndarray
    child_ids: np.ndarray
    seed: int
    target_costs: np.ndarray | None = None
    max_weights: int | None = None


class Solver(NamedTuple):
    """What the linear models minimise, and how far; see `dual_solver`.

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


def fit_levels(
    X,
    problems,
    solver,
    *,
    first_level=0,
    store=None,
    row_costs=None,
    n_jobs=None,
    progress=NO_PROGRESS,
):
    """Train every cluster of every level.

    Levels do not wait for each other: the root, one cluster over all rows, would keep other workers
    idle. A task trains neighbouring clusters and is given no more than their part of the arrays, so
    that it can run in another process.

    Parameters
    ----------
    X : tuple
        (indptr int64, indices int32, data float32, n_features): canonical CSR rows.
    problems : list of LevelProblem
        Levels, in any number.
    solver : Solver
        What each model minimises.
    first_level : int
        Number of the first of them in the tree, by which the store knows it.
    store : MemoryStore, FolderStore or None
        Where weights go as they are made; None keeps them in memory.
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
    store = store or MemoryStore(n_jobs)
    whole = [store.level(first_level + i) for i in range(len(problems))]
    # A cluster without rows is little work too.
    costs = [np.diff(p.rows[0]) * (np.diff(p.child_indptr) + ROW_CHILDREN) + 1.0 for p in problems]
    blocks = cut_levels(costs, [p.child_indptr for p in problems], **store.sizes)
    blocks = [block for block in blocks if whole[block[0]] is None]
    results = {block: store.find(first_level + block[0], block) for block in blocks}
    waiting = [block for block in blocks if results[block] is None]
    # By level, the progress of the present tasks.
    work = np.zeros((len(waiting), len(problems)))
    for task, (level, start, stop) in enumerate(waiting):
        work[task, level] = costs[level][start:stop].sum()
    on_done = progress.levels(
        [len(cost) for cost in costs],
        [len(p.child_ids) for p in problems],
        [len(p.rows[1]) for p in problems],
        work,
    )

    def on_result(task, solved):
        level, *_ = block = waiting[task]
        kept = store.keep(first_level + level, block, solved)
        if on_done is not None:
            on_done(task)
        return kept

    # Rows stand by themselves among the arguments: backends of several processes send an argument
    # that many tasks share once.
    tasks = [(*X, row_costs, cut_out(problems[b[0]], *b[1:]), solver) for b in waiting]
    solved = run_tasks(_solve_block, tasks, n_jobs, on_result=on_result)
    results.update(zip(waiting, solved, strict=True))
    levels = []
    for i, problem in enumerate(problems):
        if whole[i] is None:
            # A level's blocks are joined, and freed, before the next level's are touched.
            own = [results.pop(block) for block in sorted(results) if block[0] == i]
            whole[i] = store.join(first_level + i, own, *problem[2:4], X[3])
        levels.append(whole[i])
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


def _solve_block(indptr, indices, data, n_features, row_costs, block, solver):
    # One task: it sees arrays only, so that any joblib backend can run it.
    (row_indptr, rows), (target_indptr, target_rows), child_indptr, costs, seed, most = block
    scratch = np.zeros(n_features, dtype=np.int32)
    chunks = []
    for parent in range(len(child_indptr) - 1):
        children = slice(child_indptr[parent], child_indptr[parent + 1] + 1)
        cluster = (
            rows[row_indptr[parent] : row_indptr[parent + 1]],
            target_indptr[children],
            target_rows,
            costs,
            row_costs,
        )
        chunk = solver.solve(indptr, indices, data, *cluster, seed=seed + parent, scratch=scratch)
        chunks.append(chunk if most is None else prune_chunk(chunk, n_features, max_weights=most))
    return join_chunks(chunks)
