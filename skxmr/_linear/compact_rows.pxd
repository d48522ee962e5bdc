from skxmr._core.training_rows cimport TrainingRows
from skxmr._core.types cimport index_t, offset_t
from skxmr._linear.simd.lanes cimport cluster_row


cdef struct Cluster:
    # The training rows of one cluster, with renumbered features: first the dense features, then the
    # other shared features, which occur in two or more rows, then the singletons.
    index_t n_rows
    index_t n_features               # features that occur in the cluster
    index_t n_shared                 # shared features, the dense ones included
    index_t n_dense                  # dense features, in the order of their columns
    index_t* columns                 # (n_features) column of X of each feature
    const float** dense_rows         # (n_rows) values of the dense features of each row
    float* dense_values              # their memory, or NULL if they are those of X
    offset_t* indptr                 # (n_rows + 1) CSR arrays of the other shared features
    index_t* indices
    float* data
    offset_t* singleton_indptr       # (n_rows + 1) CSR arrays of the singleton features
    index_t* singleton_indices
    float* singleton_data
    double* singleton_squared_norms  # (n_rows) per row, of the singleton features
    double* squared_norms            # (n_rows) per row, including the constant feature 1


cdef inline void get_row(const Cluster* c, index_t i, cluster_row* row) noexcept nogil:
    # Write the shared features of a row to `row`.
    cdef offset_t start = c.indptr[i]
    row.dense = c.dense_rows[i] if c.n_dense else NULL
    row.n_dense = c.n_dense
    row.indices = &c.indices[start]
    row.data = &c.data[start]
    row.size = c.indptr[i + 1] - start


cdef bint compact_rows(Cluster* c, const TrainingRows* X, const index_t[::1] rows,
                       index_t[::1] scratch) noexcept nogil
cdef void release_cluster(Cluster* c) noexcept nogil
