"""Balanced trees: recursive bisection into parts whose sizes differ by at most one."""

from typing import NamedTuple

import numpy as np
from joblib import effective_n_jobs

from skxmr._core.arrays import csr_of, offsets_of
from skxmr._core.threads import run_tasks
from skxmr._core.validation import as_row_arrays
from skxmr.indexing._balanced_kmeans import bisect
from skxmr.indexing._label_hierarchy import LabelHierarchy


class KMeansBisector(NamedTuple):
    """Cuts rows in two by balanced 2-means.

    Attributes
    ----------
    arrays : tuple
        (indptr, indices, data, n_features) of the rows; of unit length if `spherical`.
    spherical : bool
        Whether centres are scaled to unit length.
    max_iter : int
        Most rounds of a cut.
    """

    arrays: tuple
    spherical: bool
    max_iter: int

    @classmethod
    def of(cls, Z, spherical, max_iter):
        """Make a bisector of a matrix; dense rows are cut as sparse ones: the same tree."""
        arrays = (*as_row_arrays(Z, "Z", drop_zeros=True)[:3], Z.shape[1])
        return cls(arrays, spherical, max_iter)

    def part(self, rows):
        """Return a bisector that knows these rows only, by their places among them."""
        *arrays, n_features = self.arrays
        Z = csr_of(*arrays, (len(arrays[0]) - 1, n_features))[rows]
        return self._replace(arrays=(*as_row_arrays(Z, "Z")[:3], n_features))

    def scratch(self):
        """Return room that cuts of one worker can share."""
        return np.zeros(self.arrays[3], dtype=np.float32)

    def cut(self, rows, n_left, seed, scratch):
        """Return `rows` with the `n_left` of the left side first, and the number of rounds."""
        rows = rows.copy()
        settings = (n_left, self.spherical, self.max_iter, seed, scratch)
        return rows, bisect(*self.arrays[:3], rows, *settings)


def split_counts(n_labels, branching_factor, max_leaf_size):
    """Return the number of children a node gets on each level above the labels.

    The fewest levels that reach leaves of at most `max_leaf_size` labels; all of full width but the
    first, which takes what is left. A narrow root is an easy decision, and what it saves goes into
    wide levels below: on 50,000 labels 2, 16, 16 gave a precision@1 of 72.6 and 8, 8, 8 of 72.2,
    and on two other data sets the same order at precision@3 and 5.

    Parameters
    ----------
    n_labels, branching_factor, max_leaf_size : int
        As in `HierarchicalLabelTree`.

    Returns
    -------
    list of int
        Empty if all labels fit in one leaf.
    """
    n_leaves = -(-n_labels // max_leaf_size)
    depth = 0
    while branching_factor**depth < n_leaves:
        depth += 1
    if depth == 0:
        return []
    below = branching_factor ** (depth - 1)
    return [-(-n_leaves // below)] + [branching_factor] * (depth - 1)


def balanced_hierarchy(n_labels, branching_factor, max_leaf_size, *, bisector, seed, n_jobs):
    """Group labels into a balanced tree, from the root down.

    Parameters
    ----------
    n_labels, branching_factor, max_leaf_size, n_jobs
        As in `HierarchicalLabelTree`.
    bisector : object
        Cuts rows in two, as `KMeansBisector` does.
    seed : int
        Each cut has a stream of its own that follows from it.

    Returns
    -------
    hierarchy : LabelHierarchy
        The tree.
    n_iter : int
        Most rounds of a cut, at least 1.
    """
    counts = split_counts(n_labels, branching_factor, max_leaf_size)
    return hierarchy_of_counts(n_labels, counts, bisector=bisector, seed=seed, n_jobs=n_jobs)


def hierarchy_of_counts(n_labels, counts, *, bisector, seed, n_jobs):
    """Group labels as `balanced_hierarchy` does, with given numbers of children.

    Parameters
    ----------
    n_labels : int
        Number of labels.
    counts : list of int
        Children of a node on each level above the labels, as `split_counts` returns them.
    bisector, seed, n_jobs
        As for `balanced_hierarchy`.

    Returns
    -------
    hierarchy : LabelHierarchy
        The tree.
    n_iter : int
        Most rounds of a cut, at least 1.
    """
    n_workers = effective_n_jobs(n_jobs)
    pieces = [_descend(np.arange(n_labels, dtype=np.int32), 0, counts)]
    n_iter = 1
    if n_workers > 1:
        # One by one until there is a piece for every worker, and some to even out.
        while len(pieces) < 4 * n_workers and any(len(sizes) > 1 for _, _, sizes, _ in pieces):
            # Wide cuts are few and go over all rows: they stay on this machine.
            tasks = [(bisector, piece, seed) for piece in pieces]
            cuts = run_tasks(_cut, tasks, n_jobs, shared=True)
            pieces = [half for halves, _ in cuts for half in halves]
            n_iter = max(n_iter, *(rounds for _, rounds in cuts))
    done = run_tasks(_Work.cut_up, [(_Work(bisector, piece), seed) for piece in pieces], n_jobs)
    order = np.concatenate([rows for parts, _ in done for rows in parts])
    n_iter = max(n_iter, *(rounds for _, rounds in done))
    return LabelHierarchy(_child_indptrs(n_labels, counts), order), n_iter


def random_hierarchy(n_labels, branching_factor, max_leaf_size, *, seed):
    """Return a balanced tree over labels in random order."""
    counts = split_counts(n_labels, branching_factor, max_leaf_size)
    order = np.random.RandomState(seed).permutation(n_labels)
    return LabelHierarchy(_child_indptrs(n_labels, counts), order)


def cut_evenly(rows, n_parts, *, bisector, seed):
    """Cut rows into `n_parts` of sizes that differ by at most one; return them and the rounds."""
    return _cut_up(bisector, (rows, 0, part_sizes(len(rows), n_parts), []), seed)


def part_sizes(n, n_parts):
    """Return sizes of `n_parts` that differ by at most one and sum to n."""
    return np.diff(np.arange(n_parts + 1) * n // n_parts)


class _Work:
    """A piece to be cut into leaves: it goes to another process with its own rows only.

    They are copied when it is sent, so no more than a few pieces are there twice.
    """

    def __init__(self, bisector, piece, names=None):
        self.bisector = bisector
        self.piece = piece
        self.names = names

    def __reduce__(self):
        rows, *sizes = self.piece
        places = np.arange(len(rows), dtype=rows.dtype)
        # It may travel again, from worker to worker.
        names = rows if self.names is None else self.names[rows]
        return _Work, (self.bisector.part(rows), (places, *sizes), names)

    def cut_up(self, seed):
        """Return the rows of the leaves in order, and the most rounds."""
        leaves, n_iter = _cut_up(self.bisector, self.piece, seed)
        if self.names is not None:
            leaves = [self.names[places] for places in leaves]
        return leaves, n_iter


def _child_indptrs(n_labels, counts):
    # Where children begin on each level: sizes follow from the counts alone.
    sizes = np.array([n_labels])
    indptrs = []
    for count in counts:
        parts = [part_sizes(n, min(count, n)) for n in sizes]
        indptrs.append(offsets_of([len(part) for part in parts]))
        sizes = np.concatenate(parts)
    return [*indptrs, offsets_of(sizes)]


def _descend(rows, start, counts):
    """Return the piece (rows, start, sizes, counts) that a cluster is to be cut up from.

    It has the `rows` from position `start` on, is to be cut into parts of `sizes`, and each part on
    the levels below into the next of `counts`. One part is a finished leaf.
    """
    while counts:
        sizes = part_sizes(len(rows), min(counts[0], len(rows)))
        counts = counts[1:]
        if len(sizes) > 1:
            return rows, start, sizes, counts
    return rows, start, np.array([len(rows)]), counts


def _cut(bisector, piece, seed, scratch=None):
    """Cut one piece in two, each with half of its parts; a leaf stays whole.

    Returns the pieces and the number of rounds.
    """
    rows, start, sizes, counts = piece
    if len(sizes) == 1:
        return [piece], 0
    if scratch is None:
        scratch = bisector.scratch()
    half = len(sizes) // 2
    n_left = int(sizes[:half].sum())
    # A stream of its own for each piece, from where it lies and how many parts it will have.
    piece_seed = ((seed * len(rows) + start) * 1_000_003 + len(sizes)) % 2**63
    rows, n_rounds = bisector.cut(rows, n_left, piece_seed, scratch)
    halves = [
        (rows[:n_left], start, sizes[:half], counts),
        (rows[n_left:], start + n_left, sizes[half:], counts),
    ]
    # A part that is whole goes on to the next level.
    return [_descend(p[0], p[1], counts) if len(p[2]) == 1 else p for p in halves], n_rounds


def _cut_up(bisector, piece, seed):
    """Cut a piece into leaves; return their rows in order and the most rounds."""
    scratch = bisector.scratch()
    done = []
    n_iter = 0
    stack = [piece]
    while stack:
        halves, n_rounds = _cut(bisector, stack.pop(), seed, scratch)
        n_iter = max(n_iter, n_rounds)
        if len(halves) == 1:
            done.append(halves[0][0])
        else:
            stack.extend(halves[::-1])
    return done, n_iter
