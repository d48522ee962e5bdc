"""Centres of the clusters of a finished tree, and the way of rows down to the nearest."""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

# Products of rows with all centres are dense: so many at a time.
BLOCK_PRODUCTS = 2**22


def cluster_sums(Z, clusters, n_clusters):
    """Return the sum of the rows of each cluster and their number.

    Parameters
    ----------
    Z : {ndarray, csr_array} of shape (n_rows, n_features)
        Rows.
    clusters : ndarray of shape (n_rows,)
        Cluster of each row.
    n_clusters : int
        Number of clusters.

    Returns
    -------
    sums : {ndarray, csr_array} of shape (n_clusters, n_features)
        Sparse if `Z` is.
    sizes : ndarray of shape (n_clusters,)
        Number of rows.
    """
    ones = np.ones(len(clusters), dtype=np.float32)
    members = sp.csr_array(
        (ones, (clusters, np.arange(len(clusters)))), shape=(n_clusters, len(clusters))
    )
    return members @ Z, np.bincount(clusters, minlength=n_clusters)


def centers_of(sums, sizes, spherical):
    """Return sums as centres: of unit length for spherical k-means, else means."""
    if spherical:
        return normalize(sums, norm="l2", axis=1, copy=True)
    scale = (1.0 / np.maximum(sizes, 1)).astype(np.float32)
    return (
        sp.csr_array(sp.diags_array(scale) @ sums) if sp.issparse(sums) else sums * scale[:, None]
    )


def hierarchy_centers(hierarchy, Z, spherical):
    """Return the centres of the clusters of each level.

    Parameters
    ----------
    hierarchy : LabelHierarchy
        A tree over the rows of Z.
    Z : {ndarray, csr_array} of shape (n_labels, n_features)
        Rows.
    spherical : bool
        Whether centres are scaled to unit length.

    Returns
    -------
    list of ndarray or csr_array of shape (n_clusters, n_features)
        The levels of clusters from the root's children down; sparse if `Z` is.
    """
    # From the leaves up: the sum over a cluster is the sum over its children.
    sums, sizes, centers = Z, np.ones(Z.shape[0]), []
    for parent, n_clusters in zip(
        hierarchy.to_parents()[:0:-1], hierarchy.level_sizes[-2::-1], strict=True
    ):
        sums, _ = cluster_sums(sums, parent, n_clusters)
        sizes = np.bincount(parent, weights=sizes, minlength=n_clusters)
        centers.append(centers_of(sums, sizes, spherical))
    return centers[::-1]


def nearest_center(Z, rows, centers, spherical):
    """Return the nearest centre of some rows.

    Parameters
    ----------
    Z : {ndarray, csr_array} of shape (n_rows, n_features)
        Rows.
    rows : ndarray of int
        Those to place.
    centers : {ndarray, csr_array} of shape (n_centers, n_features)
        Centres.
    spherical : bool
        Whether centres have unit length, and the nearest is that of the largest cosine.

    Returns
    -------
    ndarray of the shape of `rows`, int32
        The first of the nearest, if several are.
    """
    offset = np.zeros(centers.shape[0], dtype=np.float32)
    if not spherical:
        # |z - c|^2 = |z|^2 - 2 (z.c - |c|^2 / 2)
        squares = centers.multiply(centers) if sp.issparse(centers) else centers**2
        offset -= 0.5 * np.asarray(squares.sum(axis=1), dtype=np.float32).ravel()
    across = centers.T if sp.issparse(centers) else np.ascontiguousarray(centers.T)
    nearest = np.empty(len(rows), dtype=np.int32)
    size = max(1, BLOCK_PRODUCTS // len(offset))
    for start in range(0, len(rows), size):
        near = Z[rows[start : start + size]] @ across
        near = near.toarray() if sp.issparse(near) else near
        nearest[start : start + size] = np.argmax(near + offset, axis=1)
    return nearest


def route(hierarchy, centers, Z, spherical):
    """Return the leaf cluster that each row of Z ends in, nearest child by nearest child."""
    node = np.zeros(Z.shape[0], dtype=np.int32)
    for indptr, level_centers in zip(hierarchy.child_indptrs[:-1], centers, strict=True):
        order = np.argsort(node, kind="stable")
        edges = np.searchsorted(node[order], np.arange(len(indptr)))
        below = np.empty_like(node)
        for parent in np.flatnonzero(np.diff(edges)):
            first, stop = indptr[parent : parent + 2]
            rows = order[edges[parent] : edges[parent + 1]]
            below[rows] = first + nearest_center(Z, rows, level_centers[first:stop], spherical)
        node = below
    return node
