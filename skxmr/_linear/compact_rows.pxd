from skxmr._core.types cimport index_t, offset_t


cdef struct Cluster:
    # The rows of one cluster over its own features.
    index_t n_rows
    index_t n_features         # features that occur in the cluster
    index_t n_shared           # of these the first n_shared occur in two rows or more
    index_t* feature           # (n_features) column of X
    offset_t* indptr           # (n_rows + 1) rows over the shared features
    index_t* indices
    float* data
    offset_t* own_indptr       # (n_rows + 1) rows over the folded features
    index_t* own_indices
    float* own_data
    double* fold               # (n_rows) squared norm of the folded features
    double* norm               # (n_rows) squared norm of the row, the constant feature included


cdef bint compact(Cluster* c, const offset_t[::1] indptr, const index_t[::1] indices,
                  const float[::1] data, const index_t[::1] rows,
                  index_t[::1] scratch) noexcept nogil
cdef void release_cluster(Cluster* c) noexcept nogil
