"""Change the labels of a label tree: remove labels, add new ones, split what has become too large.

Labels that stay keep their leaf. A new label goes down the tree to the nearest center on each
level. Clusters without labels are removed. A leaf with too many labels is divided into parts of
equal size by balanced 2-means, as in a new tree, and so is a cluster with too many children; if the
root has too many, a level is added above its children. All leaves therefore keep the same depth,
as in a B-tree: Bayer, McCreight (1972), "Organization and Maintenance of Large Ordered Indices",
Acta Informatica 1.
"""

from typing import NamedTuple

import numpy as np

from skxmr._core.validation import MAX_SEED
from skxmr.indexing._balanced_tree import cut_evenly
from skxmr.indexing._kmeans import compute_centers, sum_rows_by_cluster
from skxmr.indexing._label_hierarchy import LabelHierarchy
from skxmr.indexing._routing import compute_level_centers, route_rows
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


def grow_hierarchy(hierarchy, Z, sources, limits, seed):
    """Return a label tree with other labels.

    Parameters
    ----------
    hierarchy : LabelHierarchy
        The earlier tree.
    Z : {ndarray, csr_array} of shape (n_labels, n_features), float32, or None
        Features of the labels of the new tree, of unit length; zero if nothing is known about a
        label. Only needed if there are new labels.
    sources : ndarray of shape (n_labels,), int
        Number of each label in the earlier tree; -1 if it is new. At least one is not.
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
    leaves = np.empty(len(sources), dtype=np.int64)
    leaves[sources >= 0] = kept_tree.leaf_of_label
    is_new = sources < 0
    if is_new.any():
        centers = compute_level_centers(kept_tree, Z[~is_new], True)
        leaves[is_new] = route_rows(kept_tree, centers, Z[is_new], True)
    levels = [*map(_Level, kept_tree.to_parents()[:-1], origins[:-1]), _Level(leaves, sources)]
    levels = _split_levels(levels, Z, limits, seed)
    grown = LabelHierarchy.from_parents([level.parents for level in levels])
    return GrownHierarchy(grown, _find_unchanged_parents(grown, levels, hierarchy))


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


def _split_levels(levels, Z, limits, seed):
    # From the labels up: divide clusters with too many children.
    pending, grown = list(levels), []
    ancestors = np.arange(
        len(levels[-1].parents)
    )  # of each label, among the nodes of the current level
    while pending:
        level = pending.pop()
        n_clusters = len(pending[-1].parents) if pending else 1
        parents, divided = _split_clusters(
            level.parents,
            n_clusters,
            ancestors,
            Z,
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
        ancestors = parents[ancestors]
    return grown[::-1]


def _split_clusters(parents, n_clusters, ancestors, Z, capacity, max_iter, seed):
    # Return the new parents of the nodes of a level. Parts of a cluster are the cluster itself and
    # new clusters; also return the divided cluster of each new one.
    sizes = np.bincount(parents, minlength=n_clusters)
    large = np.flatnonzero(sizes > capacity)
    if not len(large):
        return parents, large
    # Centers of the nodes in these clusters: of labels, their features.
    is_member = np.zeros(n_clusters, dtype=bool)
    is_member[large] = True
    labels = np.flatnonzero(is_member[parents[ancestors]])
    sums = sum_rows_by_cluster(Z[labels], ancestors[labels], len(parents), np.float32)
    centers = compute_centers(sums, None, True)
    members_of = np.split(np.argsort(parents, kind="stable"), np.cumsum(sizes)[:-1])
    parents, divided = parents.copy(), []
    for cluster in large:
        members = members_of[cluster]
        bisector = KMeansBisector.of(centers[members], True, max_iter)
        places = np.arange(len(members), dtype=np.int32)
        n_parts = -(-len(members) // capacity)
        parts, _ = cut_evenly(
            places, n_parts, bisector=bisector, seed=(seed + int(cluster)) % MAX_SEED
        )
        for part in parts[1:]:
            parents[members[part]] = n_clusters + len(divided)
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
