"""Label features from the spectrum of the label co-occurrence graph."""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.utils import check_random_state

from skxmr._core.arrays import nonzero_pattern
from skxmr._core.target_containers import read_label_matrix
from skxmr.indexing._normalization import normalize_rows

# Relative accuracy of eigenvalues. More digits do not change the clusters.
EIGENVALUE_TOL = 1e-3
# Rows with a smaller norm, relative to the largest norm, are rounding errors and are set to zero.
# They belong mostly to isolated labels.
MIN_RELATIVE_NORM = 1e-6
# The dense eigensolver is used for at most this many labels per eigenvector: the iterative solver
# needs more labels than eigenvectors, and is no faster up to here.
DENSE_LABELS_PER_COMPONENT = 4


def label_spectrum(Y, n_components=64, *, random_state=None):
    """Represent each label by the spectrum of the label co-occurrence graph.

    The graph connects labels that occur in the same rows. The weight of two labels is the number of
    rows that have both, each row divided by its number of labels. This is the bipartite graph of
    rows and labels [1]_, projected onto the labels.

    Let W be the matrix of these weights, and D the diagonal matrix of the degrees plus the mean
    degree. Let S be the largest eigenvalues of D^-1/2 W D^-1/2, and V their eigenvectors. The
    vector of a label is its row of V S, scaled to unit l2 norm. W is never computed.

    Adding the mean degree regularizes the graph [2]_. Without it, each small isolated group of
    labels would have an eigenvalue of 1 and a separate eigenvector, and there may be thousands of
    such groups.

    Parameters
    ----------
    Y : sparse matrix of shape (n_samples, n_labels)
        0/1 indicator of the labels of each row.
    n_components : int, default=64
        Maximum number of eigenvectors. More eigenvectors separate smaller groups of labels, but
        take longer to compute.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial vector of the eigensolver.

    Returns
    -------
    Z : ndarray of shape (n_labels, min(n_components, n_labels)), float32
        Rows of unit l2 norm, C-contiguous. The row of a label is zero if the label has no positive
        rows or if all eigenvectors are zero for it.

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
    Y = nonzero_pattern(read_label_matrix(Y, "Y"), "csr").astype(np.float64)
    counts = Y.sum(axis=0)
    present = np.flatnonzero(counts)
    n_columns = min(n_components, Y.shape[1])
    Z = np.zeros((Y.shape[1], n_columns), dtype=np.float32)
    if len(present) == 0:
        return Z
    # M^T M is the normalized graph. The weights of a row sum to 1 per label of the row, so the
    # degree of a label is its number of rows.
    row_scale = np.sqrt(np.maximum(np.diff(Y.indptr), 1))
    degrees = counts[present] + counts[present].mean()
    M = sp.diags_array(1.0 / row_scale) @ Y[:, present] @ sp.diags_array(1.0 / np.sqrt(degrees))
    values, vectors = _largest_eigenpairs(M.tocsr(), min(n_columns, len(present)), random_state)
    # The sign of an eigenvector is arbitrary: make its largest entry positive.
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    rows = vectors * np.where(largest < 0, -values, values)
    norms = np.linalg.norm(rows, axis=1)
    rows[norms <= MIN_RELATIVE_NORM * norms.max()] = 0.0
    Z[present, : rows.shape[1]] = normalize_rows(rows.astype(np.float32))
    return Z


def _largest_eigenpairs(M, k, random_state):
    """Return the k largest eigenvalues of M^T M, in decreasing order, and their eigenvectors."""
    n = M.shape[1]
    transposed = M.T.tocsr()
    if n <= DENSE_LABELS_PER_COMPONENT * k:
        values, vectors = np.linalg.eigh((transposed @ M).toarray())
        values, vectors = values[-k:], vectors[:, -k:]
    else:
        gram = LinearOperator((n, n), matvec=lambda v: transposed @ (M @ v), dtype=np.float64)
        start = check_random_state(random_state).standard_normal(n)
        values, vectors = eigsh(gram, k, which="LA", v0=start, tol=EIGENVALUE_TOL)
    order = np.argsort(-values, kind="stable")
    return np.maximum(values[order], 0.0), vectors[:, order]
