"""Label features as float32 rows, and as rows of unit length."""

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import csr_of
from skxmr._core.rows import as_rows, check_values


def as_float32_rows(Z, name="Z"):
    """Return Z in float32: C-contiguous if dense, canonical CSR without stored zeros if sparse.

    Z is not modified. A value that is not finite or too large raises a ValueError that calls the
    matrix `name`.
    """
    if sp.issparse(Z):
        indptr, indices, data, n_features = as_rows(Z, name)[:4]
        return csr_of(indptr, indices, data, (Z.shape[0], n_features))
    check_values(Z, name)
    return np.ascontiguousarray(Z, dtype=np.float32)


def normalize_rows(Z):
    """Scale each row to unit l2 norm; rows of zeros remain zero.

    Z is what `as_float32_rows` returns. It is not modified.
    """
    # Squares are computed in float64: squares of small values underflow in float32.
    if not sp.issparse(Z):
        norms = np.sqrt(np.einsum("ij,ij->i", Z, Z, dtype=np.float64))
        return np.divide(Z, np.where(norms > 0, norms, 1.0)[:, None], dtype=np.float32)
    squares = csr_of(Z.indptr, Z.indices, Z.data.astype(np.float64) ** 2, Z.shape)
    norms = np.repeat(np.sqrt(squares.sum(axis=1)), np.diff(Z.indptr))
    return csr_of(Z.indptr, Z.indices, (Z.data / norms).astype(np.float32), Z.shape)
