"""Balanced trees: recursive bisection into clusters whose sizes differ by at most one.

A cluster gets k children by about log2(k) rounds of bisection: each cut divides the rows, and the
number of children, in halves.
"""

from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr._core.threads import count_workers, run_tasks
from skxmr.indexing._label_hierarchy import LabelHierarchy

# Pending splits per worker before each worker gets whole subtrees. With several, a worker that
# finishes early finds more work.
SPLITS_PER_WORKER = 4
# Prime that mixes the position of a cluster into the seed of its split.
SEED_MULTIPLIER = 1_000_003


class PendingSplit(NamedTuple):
    """A part of a cluster that has to be bisected until it is divided into leaf clusters.

    Attributes
    ----------
    rows : ndarray of int32
        Rows of this part.
    start : int
        Position of the first row among all rows in tree order.
    part_sizes : ndarray of int
        Number of rows of each child that this part will become. A single size means that the part
        is a finished leaf cluster.
    branching_below : list of int
        Number of children per cluster on the levels below these children.
    """

    rows: np.ndarray
    start: int
    part_sizes: np.ndarray
    branching_below: list

    @property
    def is_leaf(self):
        """Whether nothing remains to be split."""
        return len(self.part_sizes) == 1


class SubtreeTask:
    """Divide one pending split into leaf clusters, here or in another process.

    Pickling copies only the rows of the split. The copy is made when the task is sent, so only a
    few copies exist at a time. A worker may send the task to another worker.

    Parameters
    ----------
    bisector : object
        Bisector, see `_splitters`.
    pending : PendingSplit
        Rows of the bisector.
    row_names : ndarray of int32 or None
        Original number of each row of the bisector; None if they are not renumbered.
    """

    def __init__(self, bisector, pending, row_names=None):
        self.bisector = bisector
        self.pending = pending
        self.row_names = row_names

    def __reduce__(self):
        """Pickle the rows of this split only, numbered from 0."""
        rows = self.pending.rows
        row_names = rows if self.row_names is None else self.row_names[rows]
        renumbered = self.pending._replace(rows=np.arange(len(rows), dtype=rows.dtype))
        return SubtreeTask, (self.bisector.select_rows(rows), renumbered, row_names)

    def run(self, seed):
        """Return the rows of each leaf cluster, in tree order, and the maximum of iterations."""
        leaves, n_iter = _bisect_into_leaves(self.bisector, self.pending, seed)
        if self.row_names is not None:
            leaves = [self.row_names[rows] for rows in leaves]
        return leaves, n_iter


def plan_branching(n_labels, branching_factor, max_leaf_size):
    """Return the number of children per cluster for each level above the labels.

    The list has as few levels as leaves of at most `max_leaf_size` labels allow; it is empty if one
    leaf is enough. All levels have `branching_factor` children per cluster, except for the first:
    the root gets only as many as needed. A root with few children is an easy decision, and wide
    levels below it improve the ranking. On 50,000 labels precision@1 was 72.6 with 2, 16, 16 and
    72.2 with 8, 8, 8; precision@3 and @5 on two other data sets had the same order.
    """
    n_leaves = -(-n_labels // max_leaf_size)
    depth = 0
    while branching_factor**depth < n_leaves:
        depth += 1
    if depth == 0:
        return []
    leaves_per_child = branching_factor ** (depth - 1)
    return [-(-n_leaves // leaves_per_child)] + [branching_factor] * (depth - 1)


def build_balanced_hierarchy(n_labels, branching, *, bisector, seed, n_jobs):
    """Group labels into a balanced tree, from the root down.

    Parameters
    ----------
    n_labels : int
        Number of labels.
    branching : list of int
        Number of children per cluster for each level above the labels, see `plan_branching`.
    bisector : object
        Bisector of the label features, see `_splitters`.
    seed : int
        Seed. Each cut derives its own seed from it.
    n_jobs : int or None
        Number of workers, as in joblib. The result does not depend on it.

    Returns
    -------
    hierarchy : LabelHierarchy
        The tree.
    n_iter : int
        Maximum number of iterations of a cut, at least 1.
    """
    n_workers = count_workers(n_jobs)
    splits = [_start_split(np.arange(n_labels, dtype=np.int32), 0, branching)]
    n_iter = 1
    if n_workers > 1:
        # Bisect all parts at the same time until there are several per worker.
        while len(splits) < SPLITS_PER_WORKER * n_workers and any(
            not split.is_leaf for split in splits
        ):
            # These cuts are few and read all rows: they run in threads, not in other processes.
            tasks = [(bisector, split, seed) for split in splits]
            results = run_tasks(_bisect_once, tasks, n_jobs, threads_only=True)
            splits = [part for parts, _ in results for part in parts]
            n_iter = max(n_iter, *(rounds for _, rounds in results))
    tasks = [(SubtreeTask(bisector, split), seed) for split in splits]
    results = run_tasks(SubtreeTask.run, tasks, n_jobs)
    order = np.concatenate([rows for leaves, _ in results for rows in leaves])
    n_iter = max(n_iter, *(rounds for _, rounds in results))
    return LabelHierarchy(_balanced_child_indptrs(n_labels, branching), order), n_iter


def build_random_hierarchy(n_labels, branching_factor, max_leaf_size, *, seed):
    """Return a balanced tree over labels in random order."""
    branching = plan_branching(n_labels, branching_factor, max_leaf_size)
    order = np.random.RandomState(seed).permutation(n_labels)
    return LabelHierarchy(_balanced_child_indptrs(n_labels, branching), order)


def cut_evenly(rows, n_parts, *, bisector, seed):
    """Divide rows into `n_parts` parts whose sizes differ by at most one.

    Returns the rows of each part, and the maximum number of iterations of a cut.
    """
    return _bisect_into_leaves(
        bisector, PendingSplit(rows, 0, divide_evenly(len(rows), n_parts), []), seed
    )


def divide_evenly(n, n_parts):
    """Return `n_parts` integers that sum to n and differ by at most one."""
    return np.diff(np.arange(n_parts + 1) * n // n_parts)


def derive_seed(seed, n_rows, start, number, bound):
    """Return the seed of one split, less than `bound`.

    The seed depends only on the place of the split in the tree: the number of rows, the position
    `start` of the first row, and a `number` that differs between splits of the same rows. Results
    therefore do not depend on the number of workers.
    """
    return ((seed * n_rows + start) * SEED_MULTIPLIER + number) % bound


def _balanced_child_indptrs(n_labels, branching):
    """Return `child_indptrs` of a balanced tree; they depend only on the sizes."""
    sizes = np.array([n_labels])
    indptrs = []
    for n_children in branching:
        child_sizes = [divide_evenly(n, min(n_children, n)) for n in sizes]
        indptrs.append(offsets_of([len(children) for children in child_sizes]))
        sizes = np.concatenate(child_sizes)
    return [*indptrs, offsets_of(sizes)]


def _start_split(rows, start, branching):
    """Return the pending split of a whole cluster.

    Levels on which the cluster has a single child need no cut and are skipped.
    """
    while branching:
        part_sizes = divide_evenly(len(rows), min(branching[0], len(rows)))
        branching = branching[1:]
        if len(part_sizes) > 1:
            return PendingSplit(rows, start, part_sizes, branching)
    return PendingSplit(rows, start, np.array([len(rows)]), branching)


def _bisect_once(bisector, pending, seed, scratch=None):
    """Return the two halves of a pending split, or a leaf unchanged, and the iterations."""
    if pending.is_leaf:
        return [pending], 0
    rows, start, part_sizes, branching_below = pending
    if scratch is None:
        scratch = bisector.scratch()
    half = len(part_sizes) // 2
    n_left = int(part_sizes[:half].sum())
    cut_seed = derive_seed(seed, len(rows), start, len(part_sizes), 2**63)
    rows, n_iter = bisector.cut(rows, n_left, cut_seed, scratch)
    halves = [
        PendingSplit(rows[:n_left], start, part_sizes[:half], branching_below),
        PendingSplit(rows[n_left:], start + n_left, part_sizes[half:], branching_below),
    ]
    # A half that is one child is a whole cluster of the next level: start its own split.
    halves = [
        _start_split(part.rows, part.start, branching_below) if part.is_leaf else part
        for part in halves
    ]
    return halves, n_iter


def _bisect_into_leaves(bisector, pending, seed):
    """Return the rows of each leaf cluster, in tree order, and the maximum of iterations."""
    scratch = bisector.scratch()
    leaves = []
    n_iter = 0
    stack = [pending]
    while stack:
        parts, rounds = _bisect_once(bisector, stack.pop(), seed, scratch)
        n_iter = max(n_iter, rounds)
        if len(parts) == 1:
            leaves.append(parts[0].rows)
        else:
            stack.extend(parts[::-1])
    return leaves, n_iter
