"""Labels represented by their positive rows."""

import itertools

import numpy as np
import scipy.sparse as sp
from joblib import effective_n_jobs

from skxmr._core.arrays import csr_of, offsets_of
from skxmr._core.threads import run_tasks
from skxmr._core.validation import as_row_arrays
from skxmr.indexing._aggregate import aggregate


def positive_instance_features(X, Y, *, max_entries=None, n_jobs=None):
    """Represent each label by the features of its positive rows (PIFA).

    Positive instance feature aggregation: the rows of `Y` are scaled to unit l2 norm, so that a
    row with many labels says less about each; a label is the sum of its rows of `X` under these
    weights, scaled to unit l2 norm. See Yu, Zhong, Zhang, Chang, Dhillon (2022), "PECOS:
    Prediction for Enormous and Correlated Output Spaces", JMLR 23(98), section 3.

    Parameters
    ----------
    X : sparse matrix of shape (n_samples, n_features)
        Rows, floating point.
    Y : sparse matrix of shape (n_samples, n_labels)
        0/1 indicator of the labels of each row, without stored zeros.
    max_entries : int or None, default=None
        Most features kept of a label, those of the largest size; None keeps all. Fewer is faster to
        cluster. From 256 up no difference was seen in the quality of a tree (precision@1, 3 and 5
        within what seeds differ by, on 37,000 and 50,000 labels), at half the time on the latter.
    n_jobs : int or None, default=None
        Threads, as in joblib; the result does not depend on it.

    Returns
    -------
    Z : csr_array of shape (n_labels, n_features)
        Unit rows, float32; a label without a positive row is a row of zeros.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from skxmr.indexing import positive_instance_features
    >>> X = sp.csr_array([[3.0, 0.0], [0.0, 4.0], [3.0, 4.0]])
    >>> Y = sp.csr_array([[1, 0], [0, 0], [0, 1]])
    >>> positive_instance_features(X, Y).toarray()
    array([[1. , 0. ],
           [0.6, 0.8]], dtype=float32)
    """
    indptr, indices, data, n_features = as_row_arrays(X)
    n_labels_of_row = np.diff(sp.csr_array(Y).indptr)
    weights = (1.0 / np.sqrt(np.maximum(n_labels_of_row, 1))).astype(np.float32)
    rows_of_label = sp.csc_array(Y)
    rows_of_label.sort_indices()
    starts = rows_of_label.indptr.astype(np.int64)
    rows = rows_of_label.indices.astype(np.int32, copy=False)
    # The work of a label is the entries of its rows; blocks of labels stay in order.
    work = offsets_of(np.diff(indptr)[rows])[starts]
    most = n_features if max_entries is None else min(max_entries, n_features)
    room = offsets_of(np.minimum(np.diff(work), most))
    n_blocks = 8 * effective_n_jobs(n_jobs) if effective_n_jobs(n_jobs) > 1 else 1
    edges = np.searchsorted(work, np.linspace(0, work[-1], n_blocks + 1))
    edges[0], edges[-1] = 0, Y.shape[1]
    blocks = run_tasks(
        aggregate,
        [
            (
                starts[a : b + 1],
                rows,
                weights,
                indptr,
                indices,
                data,
                n_features,
                int(room[b] - room[a]),
                most,
            )
            for a, b in itertools.pairwise(edges)
            if a < b
        ],
        n_jobs,
        shared=True,
    )
    if len(blocks) == 1:
        counts, columns, values = blocks[0]
    else:
        parts = [list(part) for part in zip(*blocks, strict=True)]
        del blocks
        # One of the three arrays at a time is there twice.
        counts, columns, values = (np.concatenate(parts.pop(0)) for _ in range(3))
    return csr_of(offsets_of(counts), columns, values, (Y.shape[1], n_features))


def positive_instance_indices(Y):
    """Represent each label by which rows are its positives (PII).

    A label is the indicator of its positive rows, scaled to unit l2 norm, so that the product of
    two labels is the cosine of their columns in `Y`: labels that occur together are alike,
    whatever the features of the rows. See Yu, Zhong, Zhang, Chang, Dhillon (2022), "PECOS:
    Prediction for Enormous and Correlated Output Spaces", JMLR 23(98), section 3.

    Parameters
    ----------
    Y : sparse matrix of shape (n_samples, n_labels)
        0/1 indicator of the labels of each row, without stored zeros.

    Returns
    -------
    Z : csr_array of shape (n_labels, n_samples)
        Unit rows, float32; a label without a positive row is a row of zeros.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from skxmr.indexing import positive_instance_indices
    >>> Y = sp.csr_array([[1, 0], [0, 0], [0, 1], [0, 1]])
    >>> positive_instance_indices(Y).toarray().round(2)
    array([[1.  , 0.  , 0.  , 0.  ],
           [0.  , 0.  , 0.71, 0.71]], dtype=float32)
    """
    rows_of_label = sp.csc_array(Y)
    rows_of_label.sort_indices()
    counts = np.diff(rows_of_label.indptr)
    values = np.repeat((1.0 / np.sqrt(np.maximum(counts, 1))).astype(np.float32), counts)
    return csr_of(rows_of_label.indptr, rows_of_label.indices, values, Y.shape[::-1])


def as_float32_rows(Z, name="Z"):
    """Return Z as float32, C-contiguous if dense, canonical CSR without stored zeros if sparse.

    Parameters
    ----------
    Z : {ndarray, sparse matrix} of shape (n_labels, n_features)
        Representations; never modified.
    name : str
        What to call them in errors.

    Returns
    -------
    Z : {ndarray, csr_array} of shape (n_labels, n_features)
        The same.

    Raises
    ------
    ValueError
        If a value is not finite in float32.
    """
    if sp.issparse(Z):
        indptr, indices, data, n_features = as_row_arrays(Z, name, drop_zeros=True)
        return csr_of(indptr, indices, data, (Z.shape[0], n_features))
    with np.errstate(over="ignore"):
        dense = np.ascontiguousarray(Z, dtype=np.float32)
    if not np.isfinite(dense).all():
        raise ValueError(f"{name} contains a value that is infinite or not a number in float32.")
    return dense


def unit_rows(Z):
    """Scale rows to unit l2 norm; rows of zeros stay.

    Parameters
    ----------
    Z : {ndarray, csr_array} of shape (n_labels, n_features)
        As `as_float32_rows` returns it; never modified.

    Returns
    -------
    Z : {ndarray, csr_array} of shape (n_labels, n_features)
        float32.
    """
    # Squares in float64: those of small values vanish in float32.
    if not sp.issparse(Z):
        norms = np.sqrt(np.einsum("ij,ij->i", Z, Z, dtype=np.float64))
        return np.divide(Z, np.where(norms > 0, norms, 1.0)[:, None], dtype=np.float32)
    squares = csr_of(Z.indptr, Z.indices, Z.data.astype(np.float64) ** 2, Z.shape)
    norms = np.repeat(np.sqrt(squares.sum(axis=1)), np.diff(Z.indptr))
    return csr_of(Z.indptr, Z.indices, (Z.data / norms).astype(np.float32), Z.shape)
