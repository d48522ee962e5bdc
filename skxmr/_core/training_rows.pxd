from skxmr._core.types cimport index_t, offset_t


cdef struct TrainingRows:
    # Rows with a sparse part, a canonical CSR matrix, and a dense part; see rows.py. The columns of
    # the dense part come after those of the sparse part.
    const offset_t* indptr
    const index_t* indices
    const float* data
    const float* dense             # (n_rows, n_dense); may contain zeros
    index_t n_dense
    index_t n_columns              # of both parts


cdef inline TrainingRows view_rows(const offset_t[::1] indptr, const index_t[::1] indices,
                                   const float[::1] data, const float[:, ::1] dense,
                                   index_t n_columns) noexcept nogil:
    return TrainingRows(&indptr[0], &indices[0], &data[0], &dense[0, 0], <index_t>dense.shape[1],
                        n_columns)


cdef inline const float* dense_part(const TrainingRows* X, index_t row) noexcept nogil:
    return X.dense + <offset_t>row * X.n_dense


cdef inline void add_scaled(float* total, const float* values, float factor,
                            offset_t size) noexcept nogil:
    cdef offset_t at
    for at in range(size):
        total[at] += factor * values[at]
