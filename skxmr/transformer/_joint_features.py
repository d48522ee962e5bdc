"""TF-IDF and embeddings of texts side by side, as one sparse matrix."""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from skxmr._core.arrays import csr_of, offsets_of

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
    X = sp.csr_matrix(X, dtype=np.float32, copy=True)
    X.sum_duplicates()
    X = normalize(X, copy=False)
    n_rows, n_columns = X.shape
    n_dense = E.shape[1]
    counts = np.diff(X.indptr).astype(np.int64)
    indptr = offsets_of(counts + n_dense)
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


def spread_rows(X, places, n_rows):
    """Put the rows of a CSR matrix among empty ones; entries are not copied.

    Parameters
    ----------
    X : csr_matrix of shape (len(places), n_features)
        The rows.
    places : ndarray of int
        Where each goes, rising.
    n_rows : int
        Rows of the result.

    Returns
    -------
    csr_matrix of shape (n_rows, n_features)
    """
    counts = np.zeros(n_rows, dtype=np.int64)
    counts[places] = np.diff(X.indptr)
    return csr_of(offsets_of(counts), X.indices, X.data, (n_rows, X.shape[1]), sp.csr_matrix)
