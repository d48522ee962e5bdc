"""Training of the levels of a tree: the clusters of all levels share the workers."""

import hashlib
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skxmr._core.node_rows import NodeRows
from skxmr._core.progress import NO_PROGRESS
from skxmr._core.threads import run_tasks
from skxmr._core.user_warnings import warn_user
from skxmr._core.version import __version__
from skxmr._linear.dual_solver import solve_cluster
from skxmr._linear.kept_chunks import KeptChunks
from skxmr._linear.level_blocks import cut_block, make_blocks
from skxmr._linear.level_model import Chunk, LevelLayout, join_chunks
from skxmr._linear.weight_precision import quantize
from skxmr._linear.weight_stores import MemoryStore

# Fixed cost of a row of a cluster, in units of one child: its features are loaded, and unused lanes
# are computed too. On WordNet, a row with 99 children took 2.7 times as long as with 16; on
# Debian's packages, 72 children took 2.4 times as long, and 2 children almost as long as 16.
ROW_COST = 24

# With fewer weights, nearly all linear models have none. It is less than 1, because a model has at
# most one weight if X has a single feature.
MIN_WEIGHTS_PER_MODEL = 0.1

# Numbers of the losses in simd/lanes.h.
LOSSES = {"squared_hinge": 0, "hinge": 1, "log_loss": 2}


class LevelProblem(NamedTuple):
    """Training data of the linear models of one level.

    Attributes
    ----------
    rows : NodeRows
        Rows that the children of each parent are trained on.
    targets : NodeRows
        Positive rows of each child.
    child_indptr : ndarray of shape (n_parents + 1,)
        Start of the children of each parent.
    child_ids : ndarray of shape (n_children,)
        Id of each child in results: the label on the last level, else the number of the node.
    seed : int
        Seed of the order in which rows are visited. It is the same for all clusters, so the result
        depends neither on the worker that trains a cluster nor on the numbers of nodes.
    fingerprints : ndarray of shape (n_parents,), uint64
        Hash of the training data of each parent; see `fingerprints`.
    target_costs : ndarray of float32 or None
        Multiplier of the cost of errors for each entry of `targets`.
    only_children_inherit : bool
        Whether the only child of a parent has the score of its parent; it is then not trained.
    kept : KeptChunks or None
        Clusters whose earlier weights are used again; None trains all clusters.
    """

    rows: NodeRows
    targets: NodeRows
    child_indptr: np.ndarray
    child_ids: np.ndarray
    seed: int
    fingerprints: np.ndarray
    target_costs: np.ndarray | None = None
    only_children_inherit: bool = False
    kept: KeptChunks | None = None

    def layout(self, n_features):
        """Return the `LevelLayout`."""
        fingerprints = self.fingerprints
        if self.kept is not None:
            fingerprints = self.kept.merge_fingerprints(fingerprints)
        return LevelLayout(
            self.child_indptr, self.child_ids, fingerprints, n_features, self.only_children_inherit
        )

    def estimate_work(self):
        """Return the estimated work of training each parent, in units of one row and child."""
        # A cluster without rows takes a little time, too.
        work = np.diff(self.rows.indptr) * (np.diff(self.child_indptr) + ROW_COST) + 1.0
        return work if self.kept is None else np.where(self.kept.is_trained, work, 1.0)


class Solver(NamedTuple):
    """Options of the solver of the linear models; see `dual_solver` for the objective.

    Attributes
    ----------
    loss : {"squared_hinge", "hinge", "log_loss"}
        Loss of the margin of a row.
    C : float
        Cost of errors.
    positive_weight : float
        Multiplier of the cost of errors on positive rows.
    tol : float
        Tolerance of the stopping rule.
    max_iter : int
        Maximum number of sweeps over the rows.
    weight_threshold : float
        Weights with a smaller absolute value are removed after training.
    weight_dtype : {"float32", "float16", "int8"}
        Stored dtype of the weights; see `weight_precision`.
    """

    loss: str = "squared_hinge"
    C: float = 1.0
    positive_weight: float = 1.0
    tol: float = 0.1
    max_iter: int = 100
    weight_threshold: float = 0.1
    weight_dtype: str = "float32"

    @property
    def key(self):
        """Hash of the options and of the version of the solver, an integer of 64 bits."""
        values = [str(v) if isinstance(v, str) else float(v) for v in self]
        text = repr([__version__, *values]).encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")

    def solve(self, *cluster, seed, scratch):
        """Train the children of one cluster; see `solve_cluster` for the arguments.

        Returns
        -------
        Chunk
        """
        summary, words, counts, children, weights, intercepts, n_iter, n_unsolved = solve_cluster(
            *cluster,
            LOSSES[self.loss],
            self.C,
            self.positive_weight,
            self.tol,
            self.max_iter,
            self.weight_threshold,
            seed,
            scratch,
        )
        weights, scale = quantize(weights, self.weight_dtype)
        return Chunk(
            summary, words, counts, children, weights, scale, intercepts, n_iter, n_unsolved
        )


def fit_levels(
    X,
    problems,
    solver,
    *,
    first_level=0,
    store=None,
    row_weights=None,
    n_jobs=None,
    progress=NO_PROGRESS,
):
    """Train all clusters of several levels.

    Clusters of all levels are trained at the same time. Otherwise the root, a single cluster with
    all rows, would leave the other workers idle. A task trains neighboring clusters and receives
    only their part of the arrays, so that it can run in another process.

    Parameters
    ----------
    X : TrainingRows
        Training rows.
    problems : list of LevelProblem
        Consecutive levels.
    solver : Solver
        Options of the solver.
    first_level : int
        Number of the first of these levels in the tree, used as its name in the store.
    store : MemoryStore, FolderStore or None
        Storage of finished weights; None keeps them in memory.
    row_weights : ndarray of shape (n_samples,), float32, or None
        Multiplier of the cost of errors on each row.
    n_jobs : int or None
        Number of workers, as in joblib; the result does not depend on it.
    progress : Progress
        Receiver of finished tasks.

    Returns
    -------
    list of LevelModel
    """
    store = store or MemoryStore(n_jobs)
    layouts = [problem.layout(X.n_features) for problem in problems]
    levels = [
        problem.kept.level
        if problem.kept is not None and problem.kept.is_whole_level(layout)
        else store.load_level(first_level + i, layout, solver.weight_dtype)
        for i, (problem, layout) in enumerate(zip(problems, layouts, strict=True))
    ]
    costs = [problem.estimate_work() for problem in problems]
    blocks = make_blocks(
        costs, [p.child_indptr for p in problems], store.n_blocks, store.max_children
    )
    blocks = [block for block in blocks if levels[block.level] is None]

    def with_tree_level(block):  # the store counts levels from the root
        return block._replace(level=first_level + block.level)

    results = {
        block: store.load_block(with_tree_level(block), layouts[block.level], solver.weight_dtype)
        for block in blocks
    }
    untrained = [block for block in blocks if results[block] is None]
    # Work of each task, by level.
    work = np.zeros((len(untrained), len(problems)))
    for task, block in enumerate(untrained):
        work[task, block.level] = costs[block.level][block.start : block.stop].sum()
    report_task = progress.begin_levels(
        [len(cost) for cost in costs],
        [len(p.child_ids) for p in problems],
        [len(p.rows.rows) for p in problems],
        work,
    )

    def on_result(task, arrays):
        stored = store.keep(with_tree_level(untrained[task]), arrays)
        if report_task is not None:
            report_task(task)
        return stored

    # The arrays of X are separate arguments: backends with several processes then send each of them
    # only once.
    tasks = [(*X, row_weights, cut_block(problems[b.level], b), solver) for b in untrained]
    trained = run_tasks(_solve_block, tasks, n_jobs, on_result=on_result)
    results.update(zip(untrained, trained, strict=True))
    for i, layout in enumerate(layouts):
        if levels[i] is None:
            # The blocks of a level are joined and freed before those of the next level.
            finished = [results.pop(block) for block in sorted(results) if block.level == i]
            levels[i] = store.join(first_level + i, finished, layout)
    return levels


def check_convergence(levels, max_iter):
    """Warn if `max_iter` stopped the training of a model."""
    n_unsolved = sum(level.n_unsolved for level in levels)
    if n_unsolved:
        warn_user(
            f"{n_unsolved} linear models did not converge within max_iter={max_iter} sweeps. "
            "Increase max_iter or tol, decrease C, or scale the rows to equal length.",
            ConvergenceWarning,
        )


def check_weights(levels, weight_threshold):
    """Warn if `weight_threshold` removed so many weights that nearly all models have none."""
    n_weights = sum(len(level.arrays["entry_weights"]) for level in levels)
    n_models = sum(level.count_models() for level in levels)
    # A single label may be positive for all rows, and needs no weights then.
    if weight_threshold > 0 and n_weights < MIN_WEIGHTS_PER_MODEL * n_models and n_models > 1:
        warn_user(
            f"weight_threshold={weight_threshold:g} removed nearly all weights: {n_weights:,} are "
            f"left for {n_models:,} linear models. Models without weights give all rows the same "
            "score. Decrease weight_threshold, or increase C.",
        )


def _solve_block(indptr, indices, data, dense, n_features, row_weights, block, solver):
    # One task. Its arguments can be pickled, so that every joblib backend can run it.
    scratch = np.zeros(n_features, dtype=np.int32)
    chunks = []
    for parent in range(len(block.child_indptr) - 1):
        if parent in block.kept:
            chunks.append(block.kept[parent])
            continue
        children = slice(block.child_indptr[parent], block.child_indptr[parent + 1] + 1)
        chunk = solver.solve(
            indptr,
            indices,
            data,
            dense,
            block.rows.of(parent),
            block.targets.indptr[children],
            block.targets.rows,
            block.target_costs,
            row_weights,
            seed=block.seed,
            scratch=scratch,
        )
        chunks.append(chunk)
    return join_chunks(chunks)
