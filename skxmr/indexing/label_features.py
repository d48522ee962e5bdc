"""Label representations: what the clustering sees of a label."""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from skxmr._core.validation import as_row_arrays


def positive_instance_features(X, Y):
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
        0/1 indicator of the labels of each row.

    Returns
    -------
    Z : csr_array of shape (n_labels, n_features)
        Unit rows, in the dtype of `X`; a label without a positive row is a row of zeros.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from skxmr.indexing import positive_instance_features
    >>> X = sp.csr_array([[3.0, 0.0], [0.0, 4.0], [3.0, 4.0]])
    >>> Y = sp.csr_array([[1, 0], [0, 0], [0, 1]])
    >>> positive_instance_features(X, Y).toarray()
    array([[1. , 0. ],
           [0.6, 0.8]])
    """
    X = sp.csr_array(X)
    Y = sp.csr_array(Y, dtype=X.dtype)
    weighted = normalize(Y, norm="l2", axis=1, copy=True)
    Z = sp.csr_array(weighted.T.tocsr() @ X)
    Z.sort_indices()
    return normalize(Z, norm="l2", axis=1, copy=False)


def as_float32_rows(Z):
    """Return Z as float32, C-contiguous if dense, canonical CSR without stored zeros if sparse.

    Parameters
    ----------
    Z : {ndarray, sparse matrix} of shape (n_labels, n_features)
        Representations; never modified.

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
        indptr, indices, data, n_features = as_row_arrays(Z, "Z", drop_zeros=True)
        return sp.csr_array((data, indices, indptr), shape=(Z.shape[0], n_features))
    with np.errstate(over="ignore"):
        dense = np.ascontiguousarray(Z, dtype=np.float32)
    if not np.isfinite(dense).all():
        raise ValueError("Z contains a value that is infinite or not a number in float32.")
    return dense
