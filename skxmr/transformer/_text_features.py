"""Rows of X from texts: a sparse TF-IDF part and a dense embedding part in one CSR matrix."""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from skxmr._core.arrays import csr_of, offsets_of

# Rows joined at a time, so that intermediate arrays stay in cache.
BLOCK_ROWS = 4096


def join_features(X, embeddings, weight):
    """Append embeddings to the sparse rows of texts, as columns of one CSR matrix.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Output of the vectorizer. Rows are scaled to unit length; rows of zeros are unchanged.
    embeddings : list of ndarray of shape (n_samples, n_dimensions)
        Embeddings of each encoder.
    weight : float
        Length of all embeddings of a row together.

    Returns
    -------
    csr_matrix of shape (n_samples, n_features + total n_dimensions), float32
        Indices are sorted. Embeddings of a single encoder are copied in blocks, not as a whole.
    """
    E = embeddings[0] if len(embeddings) == 1 else np.hstack(embeddings)
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
        # Sparse entries of a row are shifted by the embeddings of all rows before it.
        places = np.arange(first, last, dtype=np.int64)
        places += np.repeat(np.arange(start, stop, dtype=np.int64) * n_dense, counts[start:stop])
        indices[places], data[places] = X.indices[first:last], X.data[first:last]
        places = (indptr[start + 1 : stop + 1] - n_dense)[:, None] + np.arange(n_dense)
        indices[places] = dense_columns
        data[places] = normalize(E[start:stop]) * np.float32(weight)
    return csr_of(indptr, indices, data, (n_rows, n_columns + n_dense), sp.csr_matrix)


def insert_empty_rows(X, positions, n_rows):
    """Place the rows of a CSR matrix among empty rows; entries are not copied.

    Parameters
    ----------
    X : csr_matrix of shape (len(positions), n_features)
        Rows.
    positions : ndarray of int
        Position of each row in the result, increasing.
    n_rows : int
        Number of rows of the result.

    Returns
    -------
    csr_matrix of shape (n_rows, n_features)
    """
    counts = np.zeros(n_rows, dtype=np.int64)
    counts[positions] = np.diff(X.indptr)
    return csr_of(offsets_of(counts), X.indices, X.data, (n_rows, X.shape[1]), sp.csr_matrix)
