"""Labels represented by the spectrum of their co-occurrence graph."""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.utils import check_random_state

from skxmr.indexing._label_features import unit_rows

# Relative accuracy of an eigenvalue. Clusters do not see more digits.
EIGENVALUE_TOL = 1e-3
# Rows shorter than this, relative to the longest, are rounding: isolated labels, mostly.
ROUNDING = 1e-6


def label_spectrum(Y, n_components=64, *, random_state=None):
    """Represent each label by the spectrum of the graph of labels that occur together.

    Two labels are joined by the number of rows that have both, each divided by the number of
    labels of that row, which is the bipartite graph of rows and labels [1]_ folded onto the labels.
    With W these weights and D the degrees plus their mean, a label is its row of V S, where S are
    the largest eigenvalues of D^-1/2 W D^-1/2 and V their eigenvectors, scaled to unit l2 norm.
    Without the mean added, every small set of labels apart from the rest, of which there may be
    thousands, would have an eigenvalue of 1 and a vector to itself [2]_. W is never formed.

    Parameters
    ----------
    Y : sparse matrix of shape (n_samples, n_labels)
        0/1 indicator of the labels of each row, without stored zeros.
    n_components : int, default=64
        Most eigenvectors. More tell finer groups apart, and take longer.
    random_state : int, RandomState instance or None, default=None
        Seeds the first vector of the eigensolver.

    Returns
    -------
    Z : ndarray of shape (n_labels, min(n_components, n_labels))
        Unit rows, float32, C-contiguous; a label without a positive row is a row of zeros, and so
        is one that none of the eigenvectors reaches.

    References
    ----------
    .. [1] I. S. Dhillon (2001). "Co-clustering documents and words using bipartite spectral graph
       partitioning". KDD.
    .. [2] T. Qin, K. Rohe (2013). "Regularized spectral clustering under the degree-corrected
       stochastic blockmodel". NeurIPS.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from skxmr.indexing import label_spectrum
    >>> Y = sp.csr_array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]])
    >>> Z = label_spectrum(Y, n_components=2, random_state=0)
    >>> (Z @ Z.T).round(2) + 0.0
    array([[1., 1., 0., 0.],
           [1., 1., 0., 0.],
           [0., 0., 1., 1.],
           [0., 0., 1., 1.]], dtype=float32)
    """
    Y = sp.csr_array(Y, dtype=np.float64)
    counts = Y.sum(axis=0)
    present = np.flatnonzero(counts)
    n_columns = min(n_components, Y.shape[1])
    Z = np.zeros((Y.shape[1], n_columns), dtype=np.float32)
    if len(present) == 0:
        return Z
    # With rows that share out one unit the degree of a label is its number of rows.
    root = np.sqrt(np.maximum(np.diff(Y.indptr), 1))
    degrees = counts[present] + counts[present].mean()
    M = sp.diags_array(1.0 / root) @ Y[:, present] @ sp.diags_array(1.0 / np.sqrt(degrees))
    values, vectors = _leading(M.tocsr(), min(n_columns, len(present)), random_state)
    # Eigenvectors are given up to their sign.
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    rows = vectors * np.where(largest < 0, -values, values)
    norms = np.linalg.norm(rows, axis=1)
    rows[norms <= ROUNDING * norms.max()] = 0.0
    Z[present, : rows.shape[1]] = unit_rows(rows.astype(np.float32))
    return Z


def _leading(M, k, random_state):
    # Largest eigenvalues of M^T M, falling, and their eigenvectors.
    n = M.shape[1]
    transposed = M.T.tocsr()
    if n <= 4 * k:
        # The iterative solver needs room, and is no faster here.
        values, vectors = np.linalg.eigh((transposed @ M).toarray())
        values, vectors = values[-k:], vectors[:, -k:]
    else:
        gram = LinearOperator((n, n), matvec=lambda v: transposed @ (M @ v), dtype=np.float64)
        start = check_random_state(random_state).standard_normal(n)
        values, vectors = eigsh(gram, k, which="LA", v0=start, tol=EIGENVALUE_TOL)
    order = np.argsort(-values, kind="stable")
    return np.maximum(values[order], 0.0), vectors[:, order]
