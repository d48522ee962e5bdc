"""Check the arrays of a CSR matrix in one pass, so that kernels can use them without checks."""

from libc.math cimport isfinite

from skxmr._core.types cimport index_t, offset_t


cdef bint check_row(const index_t* indices, const float* data, offset_t size,
                    index_t n_columns) noexcept nogil:
    cdef offset_t at
    cdef index_t last = -1
    for at in range(size):
        if indices[at] <= last or not isfinite(data[at]):
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
                       const float[::1] data, index_t n_columns):
    """Return whether all rows of a CSR matrix are sorted, without duplicates, in bounds, finite."""
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
