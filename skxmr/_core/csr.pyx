"""Read the arrays of a CSR matrix in one pass: check them, measure rows, convert values.

A row is canonical if its indices are sorted, without duplicates and in bounds, and its values are
at most `MAX_VALUE`, in absolute value.
"""

import numpy as np

from libc.math cimport fabs

from skxmr._core.types cimport index_t, offset_t

# Maximum absolute value. Sums of 100 million such values are finite in float32.
MAX_VALUE = 1e30
cdef double LARGEST = <float>MAX_VALUE

ctypedef fused any_index_t:
    index_t
    offset_t

ctypedef fused value_t:
    float
    double


cdef bint check_row(const index_t* indices, const value_t* data, offset_t size,
                    index_t n_columns) noexcept nogil:
    cdef offset_t at
    cdef index_t last = -1
    for at in range(size):
        # A comparison with NaN is false.
        if indices[at] <= last or not fabs(data[at]) <= LARGEST:
            return False
        last = indices[at]
    return last < n_columns


def row_is_canonical(const index_t[::1] indices, const float[::1] data, index_t n_columns):
    """Return whether a sparse row is canonical and has no stored zeros."""
    cdef offset_t at
    if indices.shape[0] != data.shape[0]:
        return False
    if indices.shape[0] == 0:
        return True
    for at in range(data.shape[0]):
        if data[at] == 0:
            return False
    return check_row(&indices[0], &data[0], indices.shape[0], n_columns)


def copy_row(const any_index_t[::1] indices, const value_t[::1] values, index_t n_columns,
             double length):
    """Copy a sparse row to canonical (indices, data) without zeros, divided by `length`.

    Returns None if the row has duplicate or invalid indices, values above `MAX_VALUE`, or nonzero
    values that are 0 in float32.
    """
    cdef offset_t at, size = 0
    cdef index_t last = -1
    cdef bint is_sorted = True
    if indices.shape[0] != values.shape[0]:
        return None
    out_indices = np.empty(indices.shape[0], dtype=np.int32)
    out_data = np.empty(indices.shape[0], dtype=np.float32)
    cdef index_t[::1] copied_indices = out_indices
    cdef float[::1] data = out_data
    for at in range(indices.shape[0]):
        if not 0 <= indices[at] < n_columns or not fabs(values[at]) <= LARGEST:
            return None
        if values[at] == 0:
            continue
        copied_indices[size] = <index_t>indices[at]
        data[size] = <float>(values[at] / length)
        if data[size] == 0 or not fabs(data[size]) <= LARGEST:
            return None
        is_sorted = is_sorted and copied_indices[size] > last
        last = copied_indices[size]
        size += 1
    out_indices, out_data = out_indices[:size], out_data[:size]
    if not is_sorted:
        order = np.argsort(out_indices)
        out_indices, out_data = out_indices[order], out_data[order]
        copied_indices = out_indices
        for at in range(1, size):
            if copied_indices[at] == copied_indices[at - 1]:
                return None
    return out_indices, out_data


def rows_are_canonical(const offset_t[::1] indptr, const index_t[::1] indices,
                       const value_t[::1] data, index_t n_columns):
    """Return whether all rows of a CSR matrix are canonical; they may have stored zeros."""
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


def add_squares(const offset_t[::1] indptr, const value_t[::1] data, double[::1] squares):
    """Add the squares of the values of each row of a CSR matrix to `squares`.

    Values are added one by one, so stored zeros do not change the result.
    """
    cdef offset_t row, at
    cdef double total
    with nogil:
        for row in range(squares.shape[0]):
            total = squares[row]
            for at in range(indptr[row], indptr[row + 1]):
                total += <double>data[at] * <double>data[at]
            squares[row] = total


def add_dense_squares(const value_t[:, :] values, double[::1] squares):
    """Add the squares of the values of each row of a dense matrix; see `add_squares`."""
    cdef offset_t row, column
    cdef double total
    with nogil:
        for row in range(values.shape[0]):
            total = squares[row]
            for column in range(values.shape[1]):
                total += <double>values[row, column] * <double>values[row, column]
            squares[row] = total


def divide_values(const value_t[::1] data, double divisor):
    """Return values divided by a number, in float64 arithmetic, rounded to float32."""
    cdef offset_t at
    quotients = np.empty(data.shape[0], dtype=np.float32)
    cdef float[::1] out = quotients
    with nogil:
        for at in range(data.shape[0]):
            out[at] = <float>(<double>data[at] / divisor)
    return quotients


def divide_rows(const value_t[:, :] values, double divisor, float[:, ::1] quotients):
    """Divide a dense matrix as `divide_values` does."""
    cdef offset_t row, column
    with nogil:
        for row in range(values.shape[0]):
            for column in range(values.shape[1]):
                quotients[row, column] = <float>(<double>values[row, column] / divisor)


def compress_rows(const offset_t[::1] sparse_indptr, const index_t[::1] sparse_indices,
                  const float[::1] sparse_data, index_t n_sparse_columns,
                  const value_t[:, :] values, double divisor, offset_t[::1] row_ends,
                  index_t[::1] indices, float[::1] data):
    """Append sparse rows, each followed by a row of a dense matrix, to the arrays of a CSR matrix.

    Dense values are divided in float64 arithmetic and rounded to float32. Values that are then 0
    are left out.

    Parameters
    ----------
    sparse_indptr, sparse_indices, sparse_data : arrays
        CSR arrays of the sparse rows.
    n_sparse_columns : int
        Their number of columns.
    values : array of shape (n_rows, n_columns)
        Dense rows.
    divisor : float
        Divisor of the dense rows.
    row_ends : array of shape (n_rows + 1,)
        First, the number of entries before these rows, as input. The other entries become the
        ends of the rows.
    indices, data : arrays
        Columns and values, with enough room.
    """
    cdef offset_t row, column, at, size = row_ends[0], n_columns = values.shape[1]
    cdef float quotient
    with nogil:
        for row in range(values.shape[0]):
            for at in range(sparse_indptr[row], sparse_indptr[row + 1]):
                indices[size] = sparse_indices[at]
                data[size] = sparse_data[at]
                size += 1
            for column in range(n_columns):
                quotient = <float>(<double>values[row, column] / divisor)
                if quotient != 0:
                    indices[size] = n_sparse_columns + <index_t>column
                    data[size] = quotient
                    size += 1
            row_ends[row + 1] = size
