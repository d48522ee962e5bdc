from skxmr._core.types cimport index_t, offset_t


cdef struct Cluster:
    # The training rows of one cluster, with renumbered features: the most frequent feature is 0.
    # Features below n_shared occur in two or more rows; the others, in one row, are singletons.
    index_t n_rows
    index_t n_features               # features that occur in the cluster
    index_t n_shared
    bint is_full                     # whether each row has all features; they are in order then
    index_t* columns                 # (n_features) column of X of each feature
    offset_t* indptr                 # (n_rows + 1) CSR arrays of the shared features
    index_t* indices
    float* data
    # Values of X if the rows have all columns, so that nothing is copied: row i starts at indptr[i]
    # and has the features `indices`. Otherwise NULL.
    const float* values_in_place
    offset_t* singleton_indptr       # (n_rows + 1) CSR arrays of the singleton features
    index_t* singleton_indices
    float* singleton_data
    double* singleton_squared_norms  # (n_rows) per row, of the singleton features
    double* squared_norms            # (n_rows) per row, including the constant feature 1


cdef struct ClusterRow:
    # The shared features of a row.
    offset_t size
    const index_t* indices
    const float* data


cdef inline ClusterRow get_row(const Cluster* c, index_t i) noexcept nogil:
    cdef offset_t start = c.indptr[i]
    if c.values_in_place != NULL:
        return ClusterRow(c.n_shared, c.indices, &c.values_in_place[start])
    return ClusterRow(c.indptr[i + 1] - start, &c.indices[start], &c.data[start])


cdef bint compact_rows(Cluster* c, const offset_t[::1] indptr, const index_t[::1] indices,
                       const float[::1] data, const index_t[::1] rows,
                       index_t[::1] scratch) noexcept nogil
cdef void release_cluster(Cluster* c) noexcept nogil
