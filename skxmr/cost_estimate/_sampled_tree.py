"""Clusters of a label tree, drawn without making the tree.

A tree of millions of labels takes minutes. Here labels are drawn, and only the clusters on their
paths from the root are found: large ones by `LabelRows.cut`, and from where their labels are few by
the clustering itself. Labels are drawn in proportion to an auxiliary size, and so are clusters:
what a drawn cluster stands for is that of all over its own (Hansen, Hurwitz 1943, "On the theory of
sampling from finite populations", Annals of Mathematical Statistics 14).
"""

import time
from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr.cost_estimate._cut_times import CutTimes
from skxmr.indexing import (
    CLUSTERED_ENTRIES,
    HierarchicalLabelTree,
    LabelHierarchy,
    hierarchy_of_counts,
    random_hierarchy,
    split_counts,
)

# Paths from the root; and clusters of a level that are drawn where all are known.
PATHS = 6
CLUSTERS = 8
LEAVES = 48
# Entries of label features that a whole tree is made from, and a tree below a path.
WHOLE_ENTRIES = 5e6
PART_ENTRIES = 2e6


class SampledCluster(NamedTuple):
    """A cluster that was drawn.

    Attributes
    ----------
    labels : ndarray of int
        Labels below it, child after child.
    child_indptr : ndarray of shape (n_children + 1,)
        The labels of each child.
    factor : float
        How many clusters of its level it stands for.
    """

    labels: np.ndarray
    child_indptr: np.ndarray
    factor: float


class SampledTree(NamedTuple):
    """What is known of a tree.

    Attributes
    ----------
    level_sizes : list of int
        Nodes of each level below the root; the last are the labels.
    widths : list of int
        Most children of a node, by level.
    clusters : list of list of SampledCluster
        By level, the parents.
    seconds : float
        Processor time that the whole tree takes to make, from features that are there.
    """

    level_sizes: list
    widths: list
    clusters: list
    seconds: float


def sample_tree(rows, tree, *, branching_factor, max_leaf_size):
    """Draw clusters of a tree.

    Parameters
    ----------
    rows : LabelRows
        The labels.
    tree : HierarchicalLabelTree, LabelHierarchy or None
        How labels are grouped. Any clustering but "random" is taken for balanced k-means of "pifa".
    branching_factor, max_leaf_size : int or None
        Override the tree's own.

    Returns
    -------
    SampledTree
    """
    n_labels = len(rows.work)
    if isinstance(tree, LabelHierarchy):
        return _of_hierarchy(rows, tree)
    tree = HierarchicalLabelTree() if tree is None else tree
    width = branching_factor or tree.branching_factor
    leaf = max_leaf_size or tree.max_leaf_size
    if tree.clustering == "random":
        return _of_hierarchy(rows, random_hierarchy(n_labels, width, leaf, seed=0))
    kind = {"spherical": tree.clustering != "kmeans", "max_iter": tree.max_iter}
    return _PathSampler(rows, split_counts(n_labels, width, leaf), kind).run()


def _of_hierarchy(rows, hierarchy):
    labels = np.arange(hierarchy.n_labels)
    clusters = _draw(rows, labels, hierarchy, 1.0)
    widths = [int(np.diff(indptr).max()) for indptr in hierarchy.child_indptrs]
    return SampledTree(list(hierarchy.level_sizes), widths, clusters, 0.0)


def _draw(rows, labels, hierarchy, factor, share=1.0):
    # Draw clusters of each level of a hierarchy over some labels; `share` of the usual number.
    order = labels[hierarchy.label_order]
    sizes = np.append(0.0, np.cumsum(rows.aux[order]))
    starts = np.arange(len(order) + 1)
    levels = []
    for level, children in reversed(list(enumerate(hierarchy.child_indptrs))):
        number = LEAVES if level == hierarchy.n_levels - 1 else CLUSTERS
        parents = starts[children]
        picked, factors = _proportional(
            rows, np.diff(sizes[parents]), max(2, round(share * number))
        )
        drawn = []
        for parent, own in zip(picked, factors, strict=True):
            own_starts = starts[children[parent] : children[parent + 1] + 1]
            inside = order[own_starts[0] : own_starts[-1]]
            drawn.append(SampledCluster(inside, own_starts - own_starts[0], factor * own))
        levels.append(drawn)
        starts = parents
    return levels[::-1]


def _proportional(rows, sizes, number):
    # Draw by size, systematically: all that are, and what each stands for.
    if number >= len(sizes):
        return np.arange(len(sizes)), np.ones(len(sizes))
    ends = np.cumsum(sizes)
    points = (np.arange(number) + rows.random.uniform()) * ends[-1] / number
    hits = np.searchsorted(ends, points, side="right").clip(0, len(sizes) - 1)
    picked, counts = np.unique(hits, return_counts=True)
    return picked, counts * ends[-1] / (number * sizes[picked])


class _PathSampler:
    # Follows paths down a tree that is not there.

    def __init__(self, rows, counts, kind):
        self.rows = rows
        self.n_labels = len(rows.work)
        self.counts = counts
        self.total = float(rows.aux.sum())
        self.clusters = [[] for _ in range(len(counts) + 1)]
        self.times = CutTimes(**kind)
        self.whole = None

    def run(self):
        points = (np.arange(PATHS) + self.rows.random.uniform()) * self.total / PATHS
        self.descend(np.arange(self.n_labels), 0, points, 0.0, WHOLE_ENTRIES)
        sizes = [*(int(n) for n in np.cumprod(self.counts)), self.n_labels]
        widths = [*self.counts, -(-self.n_labels // int(np.prod(self.counts)))]
        return SampledTree(sizes, widths, self.clusters, self.seconds())

    def descend(self, labels, level, points, start, limit):
        # `points` are where paths lie on the line of the auxiliary sizes of all labels.
        own = float(self.rows.aux[labels].sum())
        factor = len(points) / PATHS * self.total / own if level else 1.0
        entries = np.minimum(self.rows.work[labels], CLUSTERED_ENTRIES).sum()
        if entries <= limit or level == len(self.counts):
            self.finish(labels, level, factor, 1.0 if level == 0 else len(points) / PATHS)
            return
        parts = self.rows.cut(labels, self.counts[level], self.times)
        indptr = offsets_of([len(part) for part in parts])
        self.clusters[level].append(SampledCluster(np.concatenate(parts), indptr, factor))
        for part in parts:
            stop = start + float(self.rows.aux[part].sum())
            inside = points[(points >= start) & (points < stop)]
            if len(inside):
                self.descend(part, level + 1, inside, start, PART_ENTRIES)
            start = stop

    def finish(self, labels, level, factor, share):
        if level == len(self.counts):
            drawn = [[SampledCluster(labels, np.arange(len(labels) + 1), factor)]]
        else:
            bisector = self.times.bisector(self.rows.features(labels))
            begun = time.process_time()
            hierarchy, _ = hierarchy_of_counts(
                len(labels), self.counts[level:], bisector=bisector, seed=0, n_jobs=1
            )
            if level == 0:
                self.whole = time.process_time() - begun
            drawn = _draw(self.rows, labels, hierarchy, factor, share)
        for found, clusters in zip(self.clusters[level:], drawn, strict=True):
            found.extend(clusters)

    def seconds(self):
        # A tree that was made tells itself.
        if self.whole is not None or not self.counts:
            return self.whole or 0.0
        self.times.calibrate(self.rows.sample, self.rows.n_entries)
        n_leaves = int(np.prod(self.counts))
        return self.times.seconds(self.n_labels, n_leaves, self.rows.n_entries)
