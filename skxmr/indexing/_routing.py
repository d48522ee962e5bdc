"""Route label features down a fitted tree: from the root to the nearest child on each level."""

import numpy as np

from skxmr.indexing._kmeans import (
    center_dtype,
    compute_centers,
    find_nearest_centers,
    sum_rows_by_cluster,
)


def compute_level_centers(hierarchy, Z, spherical):
    """Return the centers of the clusters of each level.

    Parameters
    ----------
    hierarchy : LabelHierarchy
        Tree over the rows of Z.
    Z : {ndarray, csr_array} of shape (n_labels, n_features)
        Rows that the tree was fitted on.
    spherical : bool
        Whether centers are scaled to unit length.

    Returns
    -------
    list of ndarray or csr_array of shape (n_clusters, n_features)
        One matrix per level of clusters, from the root's children down; sparse if `Z` is.
    """
    # From the leaves up: the sum over a cluster is the sum over its children.
    sums, sizes, centers = Z, np.ones(Z.shape[0]), []
    for parent, n_clusters in zip(
        hierarchy.to_parents()[:0:-1], hierarchy.level_sizes[-2::-1], strict=True
    ):
        sums = sum_rows_by_cluster(sums, parent, n_clusters, center_dtype(spherical))
        sizes = np.bincount(parent, weights=sizes, minlength=n_clusters)
        centers.append(compute_centers(sums, sizes, spherical))
    return centers[::-1]


def route_rows(hierarchy, level_centers, Z, spherical):
    """Return the leaf cluster of each row of Z: on each level, follow the nearest center."""
    node = np.zeros(Z.shape[0], dtype=np.int32)
    for indptr, centers in zip(hierarchy.child_indptrs[:-1], level_centers, strict=True):
        order = np.argsort(node, kind="stable")
        edges = np.searchsorted(node[order], np.arange(len(indptr)))
        child = np.empty_like(node)
        for parent in np.flatnonzero(np.diff(edges)):
            first, stop = indptr[parent : parent + 2]
            rows = order[edges[parent] : edges[parent + 1]]
            child[rows] = first + find_nearest_centers(Z, rows, centers[first:stop], spherical)
        node = child
    return node
