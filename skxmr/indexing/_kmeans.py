"""Plain k-means of a set of rows, for unbalanced trees."""

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import csr_of
from skxmr.indexing._routing import centers_of, cluster_sums, nearest_center

# Centres are found on a sample of the rows where there are more: this many, and so many a centre.
SAMPLE_ROWS = 4096
SAMPLE_ROWS_OF_CENTER = 64


def kmeans(Z, n_clusters, *, spherical, max_iter, seed):
    """Cluster rows by Lloyd's rounds from centres drawn by k-means++.

    Many rows are clustered on a sample first, and all of them join its centres in a last round.
    Written out, since scikit-learn's `KMeans` has no spherical rounds and adds up in the order in
    which its threads end, so the tree would depend on their number; and its `kmeans_plusplus` took
    three times as long on sparse rows as all rounds.

    Parameters
    ----------
    Z : {ndarray, csr_array} of shape (n_rows, n_features), float32
        Rows; of unit length if `spherical`.
    n_clusters : int
        Number of centres, at most `n_rows`.
    spherical : bool
        Whether centres are scaled to unit length, as in Dhillon, Modha (2001), "Concept
        decompositions for large sparse text data using clustering", Machine Learning 42.
    max_iter : int
        Most rounds.
    seed : int
        Seeds the first centres.

    Returns
    -------
    clusters : ndarray of shape (n_rows,), int32
        Cluster of each row; some may be empty.
    n_iter : int
        Number of rounds.
    """
    Z = _used_columns(Z)
    n = Z.shape[0]
    n_sample = min(n, max(SAMPLE_ROWS, SAMPLE_ROWS_OF_CENTER * n_clusters))
    sample = Z if n_sample == n else Z[np.arange(n_sample) * n // n_sample]
    centers = _first_centers(sample, n_clusters, np.random.RandomState(seed))
    rows = np.arange(n_sample)
    clusters = np.full(n_sample, -1, dtype=np.int32)
    n_iter = 0
    while n_iter < max_iter:
        n_iter += 1
        before, clusters = clusters, nearest_center(sample, rows, centers, spherical)
        if np.array_equal(before, clusters):
            break
        centers = _moved(centers, sample, clusters, spherical)
    if n_sample < n:
        clusters = nearest_center(Z, np.arange(n), centers, spherical)
        centers = _moved(centers, Z, clusters, spherical)
        clusters = nearest_center(Z, np.arange(n), centers, spherical)
        n_iter += 1
    return clusters, n_iter


def _first_centers(Z, n_clusters, random):
    # k-means++ of Arthur, Vassilvitskii (2007): rows drawn by squared distance to the nearest.
    squares = np.asarray((Z * Z).sum(axis=1), dtype=np.float64).ravel()
    nearest = np.full(len(squares), np.inf)
    centers = np.zeros((n_clusters, Z.shape[1]), dtype=np.float32)
    drawn = random.randint(len(squares))
    for i in range(n_clusters):
        if sp.issparse(Z):
            # Not by Z[[drawn]], which took a third of the time of small splits.
            entries = slice(Z.indptr[drawn], Z.indptr[drawn + 1])
            centers[i, Z.indices[entries]] = Z.data[entries]
        else:
            centers[i] = Z[drawn]
        distances = squares + squares[drawn] - 2.0 * (Z @ centers[i])
        nearest = np.minimum(nearest, np.maximum(distances, 0.0))
        nearest[drawn] = 0.0
        sums = np.cumsum(nearest)
        # If all rows are centres, any will do.
        drawn = min(np.searchsorted(sums, random.uniform() * sums[-1], "right"), len(sums) - 1)
    return centers


def _moved(centers, Z, clusters, spherical):
    sums, sizes = cluster_sums(Z, clusters, len(centers))
    sums = sums.toarray() if sp.issparse(sums) else sums
    # An empty cluster keeps its centre: it may find rows again.
    return np.where((sizes > 0)[:, None], centers_of(sums, sizes, spherical), centers)


def _used_columns(Z):
    # Centres are dense: leave out the columns that no row uses, most of them deep in a tree.
    if not sp.issparse(Z):
        return Z
    used = np.zeros(Z.shape[1], dtype=bool)
    used[Z.indices] = True
    number = np.cumsum(used, dtype=np.int32) - np.int32(1)
    if number[-1] < 0:
        return Z[:, :1]
    return csr_of(Z.indptr, number[Z.indices], Z.data, (Z.shape[0], int(number[-1]) + 1))
