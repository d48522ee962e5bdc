"""Change the labels of a label tree: remove labels, add new ones, split what has become too large.

Labels that stay keep their leaf. A new label goes down the tree to the nearest center on each
level, as `HierarchicalLabelTree.predict` does. Clusters without labels are removed. A leaf with too
many labels is divided into parts of equal size by balanced 2-means, as in a new tree, and so is a
cluster with too many children; if the root has too many, a level is added above its children. All
leaves therefore keep the same depth, as in a B-tree: Bayer, McCreight (1972), "Organization and
Maintenance of Large Ordered Indices", Acta Informatica 1.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr._core.validation import MAX_SEED
from skxmr.indexing._balanced_tree import cut_evenly
from skxmr.indexing._kmeans import find_nearest_centers
from skxmr.indexing._label_hierarchy import LabelHierarchy
from skxmr.indexing._splitters import KMeansBisector


class TreeLimits(NamedTuple):
    """Largest sizes of a tree, and options of a split; see `HierarchicalLabelTree`."""

    branching_factor: int
    max_leaf_size: int
    max_iter: int


class GrownHierarchy(NamedTuple):
    """A changed label tree.

    Attributes
    ----------
    hierarchy : LabelHierarchy
        The new tree.
    unchanged_parents : list of ndarray
        For each level of clusters, the parent in the earlier tree that has exactly these children,
        in this order, or -1. The first array is of the root. Parts of a divided child are new.
    """

    hierarchy: LabelHierarchy
    unchanged_parents: list


def grow_hierarchy(hierarchy, sources, features, limits, seed):
    """Return a label tree with other labels.

    Parameters
    ----------
    hierarchy : LabelHierarchy
        The earlier tree.
    sources : ndarray of shape (n_labels,), int
        Number of each label of the new tree in the earlier tree; -1 if it is new. At least one is
        not.
    features : LabelVectors
        Features of the labels of the new tree.
    limits : TreeLimits
        Largest sizes of clusters.
    seed : int
        Seed of the splits.

    Returns
    -------
    GrownHierarchy
    """
    parents, origins = _remove_labels(hierarchy, sources[sources >= 0])
    kept_tree = LabelHierarchy.from_parents(parents)
    leaves = np.full(len(sources), -1)
    leaves[sources >= 0] = kept_tree.leaf_of_label
    new = np.flatnonzero(sources < 0)
    if len(new):
        leaves[new] = _route(kept_tree, leaves, features, new)
    levels = [*map(_Level, kept_tree.to_parents()[:-1], origins[:-1]), _Level(leaves, sources)]
    levels = _split_levels(levels, features, limits, seed)
    grown = LabelHierarchy.from_parents([level.parents for level in levels])
    return GrownHierarchy(grown, _find_unchanged_parents(grown, levels, hierarchy))


def _route(tree, leaves, features, new):
    # Leaf of each new label: on each level, the child with the nearest center. `leaves` contains
    # the leaf of each label that has one, or -1. Only the centers of visited clusters are computed.
    Z = features.vectors(new)
    ancestors = []  # of each label, from the leaves up; -1 for new labels
    for parent in tree.to_parents()[-2::-1]:
        ancestors.append(leaves)
        leaves = np.where(leaves < 0, -1, parent[leaves])
    node = np.zeros(len(new), dtype=np.int64)
    for indptr, nodes in zip(tree.child_indptrs[:-1], ancestors[::-1], strict=True):
        visited, rank = np.unique(node, return_inverse=True)
        sizes = np.diff(indptr)[visited]
        starts = offsets_of(sizes)
        children = np.arange(starts[-1]) + np.repeat(indptr[visited] - starts[:-1], sizes)
        number = np.full(indptr[-1] + 1, -1)  # of each child among these; the last entry is for -1
        number[children] = np.arange(len(children))
        centers = features.centers(number[nodes], len(children))
        for i, (start, stop) in enumerate(pairwise(starts)):
            rows = np.flatnonzero(rank == i)
            nearest = find_nearest_centers(Z, rows, centers[start:stop], True)
            node[rows] = children[start] + nearest
    return node


class _Level(NamedTuple):
    # Nodes of a level: the parent of each, and its number in the earlier tree, or -1.
    parents: np.ndarray
    origins: np.ndarray


def _remove_labels(hierarchy, labels):
    # Parents of the remaining nodes, and their numbers in the earlier tree. `labels` are the
    # remaining labels in their new order.
    nodes, parents, origins = labels, [], []
    for parent in hierarchy.to_parents()[::-1]:
        used, new_parent = np.unique(parent[nodes], return_inverse=True)
        parents.append(new_parent)
        origins.append(nodes)
        nodes = used
    return parents[::-1], origins[::-1]


def _split_levels(levels, features, limits, seed):
    # From the labels up: divide clusters with too many children.
    pending, grown = list(levels), []
    ancestors = None  # of each label, among the nodes of the current level; None for the labels
    while pending:
        level = pending.pop()
        n_clusters = len(pending[-1].parents) if pending else 1
        parents, divided = _split_clusters(
            level.parents,
            n_clusters,
            ancestors,
            features,
            limits.branching_factor if grown else limits.max_leaf_size,
            limits.max_iter,
            seed + len(grown),
        )
        if len(divided) and pending:
            above = pending.pop()
            origins = np.concatenate([above.origins, np.full(len(divided), -1)])
            origins[divided] = -1
            pending.append(_Level(np.concatenate([above.parents, above.parents[divided]]), origins))
        elif len(divided):  # the root was divided: its parts get a new root
            n_parts = len(divided) + 1
            pending.append(_Level(np.zeros(n_parts, dtype=np.int64), np.full(n_parts, -1)))
        grown.append(level._replace(parents=parents))
        ancestors = parents if ancestors is None else parents[ancestors]
    return grown[::-1]


def _split_clusters(parents, n_clusters, ancestors, features, capacity, max_iter, seed):
    # Return the new parents of the nodes of a level. Parts of a cluster are the cluster itself and
    # new clusters; also return the divided cluster of each new one.
    sizes = np.bincount(parents, minlength=n_clusters)
    large = np.flatnonzero(sizes > capacity)
    if not len(large):
        return parents, large
    is_large = np.zeros(n_clusters, dtype=bool)
    is_large[large] = True
    members = np.flatnonzero(is_large[parents])
    members = members[np.argsort(parents[members], kind="stable")]
    if ancestors is None:
        Z = features.vectors(members)
    else:
        number = np.full(len(parents), -1)
        number[members] = np.arange(len(members))
        Z = features.centers(number[ancestors], len(members))
    parents, divided = parents.copy(), []
    for cluster, (start, stop) in zip(large, pairwise(offsets_of(sizes[large])), strict=True):
        bisector = KMeansBisector.of(Z[start:stop], True, max_iter)
        places = np.arange(stop - start, dtype=np.int32)
        n_parts = -(-len(places) // capacity)
        parts, _ = cut_evenly(
            places, n_parts, bisector=bisector, seed=(seed + int(cluster)) % MAX_SEED
        )
        for part in parts[1:]:
            parents[members[start + part]] = n_clusters + len(divided)
            divided.append(cluster)
    return parents, np.array(divided)


def _find_unchanged_parents(grown, levels, earlier):
    # See `GrownHierarchy`.
    n_added = grown.n_levels - earlier.n_levels  # levels at the root
    numbers = np.zeros(1, dtype=np.int64)  # in `grown`, of the nodes of the level above
    parent_origins = np.array([-1 if n_added else 0])
    unchanged = []
    for number, (level, indptr) in enumerate(zip(levels, grown.child_indptrs, strict=True)):
        order = np.argsort(numbers[level.parents], kind="stable")
        origins = level.origins[order]
        if number < n_added:
            unchanged.append(np.full(len(indptr) - 1, -1))
        else:
            earlier_indptr = earlier.child_indptrs[number - n_added]
            unchanged.append(_compare_children(indptr, origins, parent_origins, earlier_indptr))
        numbers = np.empty(len(order), dtype=np.int64)
        numbers[order] = np.arange(len(order))
        parent_origins = origins
    return unchanged[:-1]


def _compare_children(indptr, origins, parent_origins, earlier_indptr):
    # Earlier number of each parent that has exactly its earlier children, else -1.
    counts = np.diff(indptr)
    first = earlier_indptr[parent_origins]  # of a new parent, anything
    expected = np.repeat(first - indptr[:-1], counts) + np.arange(len(origins))
    n_other = np.add.reduceat(origins != expected, indptr[:-1], dtype=np.int64)
    is_same = (n_other == 0) & (counts == earlier_indptr[parent_origins + 1] - first)
    return np.where(is_same & (parent_origins >= 0), parent_origins, -1)
