"""Read the arrays of a CSR matrix in one pass: check them, measure rows, convert values."""

import numpy as np

from libc.math cimport isfinite, sqrt

from skxmr._core.types cimport index_t, offset_t

ctypedef fused value_t:
    float
    double


cdef bint check_row(const index_t* indices, const value_t* data, offset_t size,
                    index_t n_columns) noexcept nogil:
    cdef offset_t at
    cdef index_t last = -1
    for at in range(size):
        if indices[at] <= last or not isfinite(<float>data[at]):
            return False
        last = indices[at]
    return last < n_columns


def row_is_canonical(const index_t[::1] indices, const float[::1] data, index_t n_columns):
    """Return whether a sparse row is sorted, without duplicates, in bounds and finite."""
    if indices.shape[0] != data.shape[0]:
        return False
    if indices.shape[0] == 0:
        return True
    return check_row(&indices[0], &data[0], indices.shape[0], n_columns)


def rows_are_canonical(const offset_t[::1] indptr, const index_t[::1] indices,
                       const value_t[::1] data, index_t n_columns):
    """Return whether all rows are sorted, without duplicates, in bounds, and finite in float32."""
    cdef offset_t row, n_rows = indptr.shape[0] - 1
    cdef offset_t n_entries = min(indices.shape[0], data.shape[0])
    cdef bint is_canonical = n_rows >= 0 and indptr[0] == 0 and indptr[n_rows] <= n_entries
    with nogil:
        for row in range(n_rows):
            if not is_canonical:
                break
            is_canonical = indptr[row] <= indptr[row + 1] <= n_entries
            if is_canonical and indptr[row] < indptr[row + 1]:
                is_canonical = check_row(&indices[indptr[row]], &data[indptr[row]],
                                         indptr[row + 1] - indptr[row], n_columns)
    return is_canonical


def measure_rows(const offset_t[::1] indptr, const value_t[::1] data):
    """Return the Euclidean length of each row of a canonical CSR matrix, float64.

    Values are added one by one, so stored zeros do not change the result.
    """
    cdef offset_t row, at, n_rows = indptr.shape[0] - 1
    cdef double square
    lengths = np.empty(n_rows, dtype=np.float64)
    cdef double[::1] out = lengths
    with nogil:
        for row in range(n_rows):
            square = 0.0
            for at in range(indptr[row], indptr[row + 1]):
                square += <double>data[at] * <double>data[at]
            out[row] = sqrt(square)
    return lengths


def divide_values(const value_t[::1] data, double divisor):
    """Return values divided by a number, in float64 arithmetic, rounded to float32."""
    cdef offset_t at
    quotients = np.empty(data.shape[0], dtype=np.float32)
    cdef float[::1] out = quotients
    with nogil:
        for at in range(data.shape[0]):
            out[at] = <float>(<double>data[at] / divisor)
    return quotients
