"""TF-IDF and embeddings of texts side by side, as one sparse matrix."""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from skxmr._core.arrays import csr_of

# Rows joined at a time: what is made on the way stays in cache.
BLOCK_ROWS = 4096


def join_features(X, E, weight):
    """Put a dense block of columns after a sparse one, rows of both of unit length.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        What the vectoriser makes; rows of other length are scaled, rows of zeros stay.
    E : ndarray of shape (n_samples, n_dimensions)
        Embeddings.
    weight : float
        Length of a row's dense block beside the sparse one, of length 1.

    Returns
    -------
    csr_matrix of shape (n_samples, n_features + n_dimensions), float32
        Sorted. The dense block stands in it once and is not copied whole on the way.
    """
    X = sp.csr_matrix(X, dtype=np.float32)
    n_rows, n_columns = X.shape
    n_dense = E.shape[1]
    X = normalize(X, copy=True)
    X.sum_duplicates()
    counts = np.diff(X.indptr).astype(np.int64)
    indptr = np.zeros(n_rows + 1, dtype=np.int64)
    np.cumsum(counts + n_dense, out=indptr[1:])
    indices = np.empty(indptr[-1], dtype=np.int32)
    data = np.empty(indptr[-1], dtype=np.float32)
    dense_columns = np.arange(n_columns, n_columns + n_dense, dtype=np.int32)
    for start in range(0, n_rows, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n_rows)
        first, last = X.indptr[start], X.indptr[stop]
        # A row's sparse entries move up by the dense blocks of the rows before it.
        places = np.arange(first, last, dtype=np.int64)
        places += np.repeat(np.arange(start, stop, dtype=np.int64) * n_dense, counts[start:stop])
        indices[places], data[places] = X.indices[first:last], X.data[first:last]
        places = (indptr[start + 1 : stop + 1] - n_dense)[:, None] + np.arange(n_dense)
        indices[places] = dense_columns
        data[places] = normalize(E[start:stop]) * np.float32(weight)
    return csr_of(indptr, indices, data, (n_rows, n_columns + n_dense), sp.csr_matrix)
