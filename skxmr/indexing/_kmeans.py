"""k-means: cluster centers, the nearest center of a row, and Lloyd's algorithm.

Unbalanced trees split clusters by `kmeans`; balanced trees use the kernel in `_balanced_kmeans`.

Spherical k-means computes in float32. Euclidean distances are computed in float64: for rows far
from the origin they are small differences of large squares.
"""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from skxmr._core.arrays import csr_of

# Large inputs are clustered on a sample: on SAMPLE_ROWS rows, or on SAMPLE_ROWS_PER_CENTER rows per
# center if that is more.
SAMPLE_ROWS = 4096
SAMPLE_ROWS_PER_CENTER = 64
# The products of rows and centers are dense. This many are computed at a time.
BLOCK_PRODUCTS = 2**22


def center_dtype(spherical):
    """Return the dtype of cluster centers, in which distances are computed."""
    return np.dtype(np.float32 if spherical else np.float64)


def sum_rows_by_cluster(Z, clusters, n_clusters, dtype):
    """Return the sum of the rows of each cluster, (n_clusters, n_features), sparse if Z is.

    `clusters` contains the cluster of each row of Z, `dtype` is that of the sums.
    """
    block_size = BLOCK_PRODUCTS // max(1, Z.shape[1])
    if not sp.issparse(Z) and Z.dtype != dtype and len(Z) > block_size:
        # The product would convert all of Z at once.
        sums = np.zeros((n_clusters, Z.shape[1]), dtype=dtype)
        for start in range(0, len(Z), block_size):
            rows = slice(start, start + block_size)
            sums += sum_rows_by_cluster(Z[rows], clusters[rows], n_clusters, dtype)
        return sums
    ones = np.ones(len(clusters), dtype=dtype)
    members = sp.csr_array(
        (ones, (clusters, np.arange(len(clusters)))), shape=(n_clusters, len(clusters))
    )
    return members @ Z


def compute_centers(sums, sizes, spherical):
    """Return cluster centers from sums of rows: unit vectors if `spherical`, else means."""
    if spherical:
        return normalize(sums, norm="l2", axis=1, copy=True)
    scale = (1.0 / np.maximum(sizes, 1)).astype(sums.dtype)
    if sp.issparse(sums):
        return sp.csr_array(sp.diags_array(scale) @ sums)
    return sums * scale[:, None]


def find_nearest_centers(Z, rows, centers, spherical):
    """Return the nearest center of some rows of Z; of several nearest centers, the first.

    Parameters
    ----------
    Z : {ndarray, csr_array} of shape (n_rows, n_features)
        All rows.
    rows : ndarray of int
        Rows to assign.
    centers : {ndarray, csr_array} of shape (n_centers, n_features)
        Centers. Their dtype is that of the computation; see `center_dtype`.
    spherical : bool
        Whether the nearest center is the one with the largest cosine. Centers then have unit
        length. False compares Euclidean distances.

    Returns
    -------
    ndarray of shape (len(rows),), int32
    """
    offset = np.zeros(centers.shape[0], dtype=centers.dtype)
    if not spherical:
        # |z - c|^2 = |z|^2 - 2 (z.c - |c|^2 / 2)
        squares = centers.multiply(centers) if sp.issparse(centers) else centers**2
        offset -= 0.5 * np.asarray(squares.sum(axis=1)).ravel()
    transposed = centers.T if sp.issparse(centers) else np.ascontiguousarray(centers.T)
    nearest = np.empty(len(rows), dtype=np.int32)
    block_size = max(1, BLOCK_PRODUCTS // len(offset))
    for start in range(0, len(rows), block_size):
        block = Z[rows[start : start + block_size]].astype(centers.dtype, copy=False)
        products = block @ transposed
        products = products.toarray() if sp.issparse(products) else products
        nearest[start : start + block_size] = np.argmax(products + offset, axis=1)
    return nearest


def kmeans(Z, n_clusters, *, spherical, max_iter, seed):
    """Cluster rows by Lloyd's algorithm from k-means++ centers.

    Large inputs are clustered on a sample; then two passes over all rows assign each row to the
    nearest center.

    scikit-learn's `KMeans` is not used for two reasons. It has no spherical k-means. It sums rows
    in the order in which threads finish, so the tree would depend on the number of threads. Its
    `kmeans_plusplus` took three times as long on sparse rows as all iterations here.

    Parameters
    ----------
    Z : {ndarray, csr_array} of shape (n_rows, n_features), float32
        Rows; of unit length if `spherical`.
    n_clusters : int
        Number of centers, at most `n_rows`.
    spherical : bool
        Whether centers are scaled to unit length, as in Dhillon, Modha (2001), "Concept
        decompositions for large sparse text data using clustering", Machine Learning 42.
    max_iter : int
        Maximum number of iterations.
    seed : int
        Seed of the initial centers.

    Returns
    -------
    clusters : ndarray of shape (n_rows,), int32
        Cluster of each row. Clusters may be empty.
    n_iter : int
        Number of iterations.
    """
    Z = _drop_unused_columns(Z)
    n_rows = Z.shape[0]
    n_sample = min(n_rows, max(SAMPLE_ROWS, SAMPLE_ROWS_PER_CENTER * n_clusters))
    sample = Z if n_sample == n_rows else Z[np.arange(n_sample) * n_rows // n_sample]
    sample = sample.astype(center_dtype(spherical), copy=False)
    centers = _draw_centers(sample, n_clusters, np.random.RandomState(seed))
    sample_rows = np.arange(n_sample)
    clusters = np.full(n_sample, -1, dtype=np.int32)
    n_iter = 0
    while n_iter < max_iter:
        n_iter += 1
        previous = clusters
        clusters = find_nearest_centers(sample, sample_rows, centers, spherical)
        if np.array_equal(previous, clusters):
            break
        centers = _update_centers(centers, sample, clusters, spherical)
    if n_sample < n_rows:
        all_rows = np.arange(n_rows)
        clusters = find_nearest_centers(Z, all_rows, centers, spherical)
        centers = _update_centers(centers, Z, clusters, spherical)
        clusters = find_nearest_centers(Z, all_rows, centers, spherical)
        n_iter += 1
    return clusters, n_iter


def _draw_centers(Z, n_clusters, random_state):
    """Draw initial centers by k-means++ (Arthur, Vassilvitskii 2007).

    Each row is drawn with a probability proportional to its squared distance to the nearest center.
    """
    squares = np.asarray((Z * Z).sum(axis=1), dtype=np.float64).ravel()
    nearest = np.full(len(squares), np.inf)
    centers = np.zeros((n_clusters, Z.shape[1]), dtype=Z.dtype)
    drawn = random_state.randint(len(squares))
    for i in range(n_clusters):
        if sp.issparse(Z):
            # Z[[drawn]] would be slower: it took a third of the time of small splits.
            entries = slice(Z.indptr[drawn], Z.indptr[drawn + 1])
            centers[i, Z.indices[entries]] = Z.data[entries]
        else:
            centers[i] = Z[drawn]
        distances = squares + squares[drawn] - 2.0 * (Z @ centers[i])
        nearest = np.minimum(nearest, np.maximum(distances, 0.0))
        nearest[drawn] = 0.0
        sums = np.cumsum(nearest)
        # If all rows are equal to a center, all sums are 0 and the last row is drawn.
        drawn = min(
            np.searchsorted(sums, random_state.uniform() * sums[-1], "right"), len(sums) - 1
        )
    return centers


def _update_centers(centers, Z, clusters, spherical):
    sums = sum_rows_by_cluster(Z, clusters, len(centers), centers.dtype)
    sums = sums.toarray() if sp.issparse(sums) else sums
    sizes = np.bincount(clusters, minlength=len(centers))
    # An empty cluster keeps its center, because it may become nearest to rows again.
    return np.where((sizes > 0)[:, None], compute_centers(sums, sizes, spherical), centers)


def _drop_unused_columns(Z):
    """Return sparse Z without empty columns: centers are dense, and deep clusters use few columns.

    Dense Z is returned unchanged.
    """
    if not sp.issparse(Z):
        return Z
    is_used = np.zeros(Z.shape[1], dtype=bool)
    is_used[Z.indices] = True
    new_column = np.cumsum(is_used, dtype=np.int32) - np.int32(1)
    if new_column[-1] < 0:
        return Z[:, :1]
    return csr_of(Z.indptr, new_column[Z.indices], Z.data, (Z.shape[0], int(new_column[-1]) + 1))
