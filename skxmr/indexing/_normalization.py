"""Label features as float32 rows, and as rows of unit length."""

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import csr_of
from skxmr._core.rows import as_rows


def as_float32_rows(Z, name="Z"):
    """Return Z in float32: C-contiguous if dense, canonical CSR without stored zeros if sparse.

    Z is not modified. A value that is not finite in float32 raises a ValueError that calls the
    matrix `name`.
    """
    if sp.issparse(Z):
        indptr, indices, data, n_features = as_rows(Z, name, drop_zeros=True)
        return csr_of(indptr, indices, data, (Z.shape[0], n_features))
    with np.errstate(over="ignore"):
        dense = np.ascontiguousarray(Z, dtype=np.float32)
    if not np.isfinite(dense).all():
        raise ValueError(
            f"{name} must contain only values that are finite in float32; got an infinite value "
            "or NaN."
        )
    return dense


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
