"""Sparse matrices from the indices of a file, which are read row by row and may be damaged."""

from array import array

import numpy as np

from skxmr._core.arrays import as_public_csr

# Limit of sizes that a file does not state. Estimators support no more features, and a damaged
# index must not become the size of an array.
MAX_DERIVED_SIZE = np.iinfo(np.int32).max


def make_index_array(size):
    """Return an empty array for indices less than `size`; None is the limit of unknown sizes."""
    size = MAX_DERIVED_SIZE if size is None else size
    return array("i" if size <= np.iinfo(np.int32).max else "q")


def make_csr(indptr, indices, data, n_columns):
    """Return a CSR matrix; if `n_columns` is None, it is the largest index plus 1.

    Parameters
    ----------
    indptr, indices : array
        As in a CSR matrix. Indices may be unsorted.
    data : array
        Values.
    n_columns : int or None
        Number of columns.

    Returns
    -------
    sparse matrix
        In the container that scikit-learn is configured to return.
    """
    indices = np.asarray(indices)
    if n_columns is None:
        n_columns = int(indices.max(initial=-1)) + 1
    shape = (len(indptr) - 1, n_columns)
    return as_public_csr(np.asarray(indptr), indices, np.asarray(data), shape)


def make_indicator(indptr, labels, n_labels):
    """Return an int32 indicator with sorted indices; a label may occur in a row several times.

    Parameters
    ----------
    indptr, labels : array
        Labels of row i are ``labels[indptr[i]:indptr[i + 1]]``.
    n_labels : int or None
        Number of columns; None is the largest label plus 1.

    Returns
    -------
    sparse matrix
    """
    Y = make_csr(indptr, labels, np.ones(len(labels), dtype=np.int32), n_labels)
    Y.sum_duplicates()
    Y.data[:] = 1
    return Y
