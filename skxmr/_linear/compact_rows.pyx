"""Copy the rows of one cluster and renumber their features, so that training is fast.

The rows of a cluster contain only a part of all features. Two changes make training cheaper without
changing its result:

* Features that occur in the cluster are renumbered, most frequent first. The weight vector w is
  then short, and its most frequently used elements are next to each other in memory.
* Singleton features, which occur in one row i only, are removed from the rows. The optimal weight
  of such a feature j is a_i y_i x_ij, where a_i is the dual of the row. The feature adds
  a_i y_i x_ij^2 to the margin of row i and nothing to other margins. Training needs only the sum
  of these x_ij^2 per row; `collect_weights` in dual_solver.pyx computes the weights at the end.
  In leaf clusters, 51 % (WordNet hypernyms), 53 % (Debian package dependencies) and 79 % (YSO
  titles) of the features are singletons (default settings, November 2026).

Rows that have all columns of X, such as embeddings, are used in place.
"""

from libc.stdlib cimport calloc, free, malloc

from skxmr._core.types cimport index_t, offset_t
from skxmr._linear.simd.lanes cimport prefetch_array

# Rows of the cluster are not neighbors in X, so each row is prefetched this many rows in advance.
cdef enum:
    PREFETCH_DISTANCE = 3


cdef bint compact_rows(Cluster* c, const offset_t[::1] indptr, const index_t[::1] indices,
                       const float[::1] data, const index_t[::1] rows,
                       index_t[::1] scratch) noexcept nogil:
    # Fill a zero-initialized Cluster. `scratch` has one number per column of X; it is 0 on entry
    # and on return. Returns False if memory runs out.
    cdef index_t n_rows = <index_t>rows.shape[0]
    cdef index_t i, f, n_features = 0
    cdef offset_t at, n_entries = 0, n_shared_entries = 0, n_singletons = 0, max_features
    cdef index_t* columns_seen       # columns of X in the order of their first occurrence
    cdef index_t* frequencies        # number of rows that contain each of these columns
    cdef offset_t* bucket_starts     # for the counting sort: next free position per frequency
    cdef bint has_all_columns = n_rows > 1
    for i in range(n_rows):
        n_entries += indptr[rows[i] + 1] - indptr[rows[i]]
        has_all_columns &= indptr[rows[i] + 1] - indptr[rows[i]] == scratch.shape[0]
    c.n_rows = n_rows
    if has_all_columns:
        return use_rows_in_place(c, indptr, data, rows, <index_t>scratch.shape[0])
    max_features = min(n_entries, scratch.shape[0])
    columns_seen = <index_t*>malloc((max_features + 1) * sizeof(index_t))
    frequencies = <index_t*>calloc(max_features + 1, sizeof(index_t))
    c.columns = <index_t*>malloc((max_features + 1) * sizeof(index_t))
    c.indptr = <offset_t*>malloc((n_rows + 1) * sizeof(offset_t))
    c.singleton_indptr = <offset_t*>malloc((n_rows + 1) * sizeof(offset_t))
    c.singleton_squared_norms = <double*>calloc(n_rows + 1, sizeof(double))
    c.squared_norms = <double*>calloc(n_rows + 1, sizeof(double))
    bucket_starts = <offset_t*>calloc(n_rows + 2, sizeof(offset_t))
    cdef bint has_memory = (columns_seen and frequencies and c.columns and c.indptr
                            and c.singleton_indptr and c.singleton_squared_norms
                            and c.squared_norms and bucket_starts)
    if has_memory:
        # Count frequencies. scratch[column] is the column's position in columns_seen, plus 1.
        for i in range(n_rows):
            if i + PREFETCH_DISTANCE < n_rows:
                at = indptr[rows[i + PREFETCH_DISTANCE]]
                prefetch_array(&indices[at], indptr[rows[i + PREFETCH_DISTANCE] + 1] - at)
            for at in range(indptr[rows[i]], indptr[rows[i] + 1]):
                f = scratch[indices[at]]
                if f == 0:
                    columns_seen[n_features] = indices[at]
                    n_features += 1
                    f = n_features
                    scratch[indices[at]] = f
                frequencies[f - 1] += 1
        # Counting sort by decreasing frequency; features of equal frequency keep their order.
        # scratch[column] becomes the new number of the feature.
        for f in range(n_features):
            bucket_starts[n_rows - frequencies[f] + 1] += 1
            if frequencies[f] == 1:
                n_singletons += 1
        for i in range(n_rows):
            bucket_starts[i + 1] += bucket_starts[i]
        for f in range(n_features):
            at = bucket_starts[n_rows - frequencies[f]]
            bucket_starts[n_rows - frequencies[f]] += 1
            c.columns[at] = columns_seen[f]
            scratch[columns_seen[f]] = <index_t>at
        c.n_features = n_features
        c.n_shared = n_features - <index_t>n_singletons
        n_shared_entries = n_entries - n_singletons
        # Features of equal frequency keep their order, so feature f is entry f of each row.
        c.is_full = n_shared_entries == <offset_t>n_rows * n_features
        c.indices = <index_t*>malloc((n_shared_entries + 1) * sizeof(index_t))
        c.data = <float*>malloc((n_shared_entries + 1) * sizeof(float))
        c.singleton_indices = <index_t*>malloc((n_singletons + 1) * sizeof(index_t))
        c.singleton_data = <float*>malloc((n_singletons + 1) * sizeof(float))
        has_memory = c.indices and c.data and c.singleton_indices and c.singleton_data
        if has_memory:
            copy_rows(c, indptr, indices, data, rows, scratch)
        for f in range(n_features):
            scratch[columns_seen[f]] = 0
    free(columns_seen)
    free(frequencies)
    free(bucket_starts)
    return has_memory


cdef bint use_rows_in_place(Cluster* c, const offset_t[::1] indptr, const float[::1] data,
                            const index_t[::1] rows, index_t n_columns) noexcept nogil:
    # Fill a zero-initialized Cluster whose rows have all columns of X. All features are shared, and
    # have the order of the columns. Returns False if memory runs out.
    cdef index_t i, f
    cdef offset_t at
    c.is_full = True
    c.n_features = c.n_shared = n_columns
    c.columns = <index_t*>malloc((n_columns + 1) * sizeof(index_t))
    c.indices = <index_t*>malloc((n_columns + 1) * sizeof(index_t))
    c.indptr = <offset_t*>malloc((c.n_rows + 1) * sizeof(offset_t))
    c.singleton_indptr = <offset_t*>calloc(c.n_rows + 1, sizeof(offset_t))
    c.singleton_squared_norms = <double*>calloc(c.n_rows + 1, sizeof(double))
    c.squared_norms = <double*>malloc((c.n_rows + 1) * sizeof(double))
    if not (c.columns and c.indices and c.indptr and c.singleton_indptr
            and c.singleton_squared_norms and c.squared_norms):
        return False
    c.values_in_place = &data[0]
    for f in range(n_columns):
        c.columns[f] = c.indices[f] = f
    for i in range(c.n_rows):
        c.indptr[i] = indptr[rows[i]]
        c.squared_norms[i] = 1.0     # of the constant feature
        for at in range(c.indptr[i], c.indptr[i] + n_columns):
            c.squared_norms[i] += <double>data[at] * data[at]
    return True


cdef void copy_rows(Cluster* c, const offset_t[::1] indptr, const index_t[::1] indices,
                    const float[::1] data, const index_t[::1] rows,
                    const index_t[::1] new_numbers) noexcept nogil:
    # Split the rows into shared and singleton features. new_numbers[column] is the number of the
    # feature in the cluster.
    cdef offset_t at, n_shared_entries = 0, n_singletons = 0
    cdef index_t i, f
    cdef double square
    for i in range(c.n_rows):
        c.indptr[i] = n_shared_entries
        c.singleton_indptr[i] = n_singletons
        c.squared_norms[i] = 1.0     # of the constant feature
        if i + PREFETCH_DISTANCE < c.n_rows:
            at = indptr[rows[i + PREFETCH_DISTANCE]]
            prefetch_array(&indices[at], indptr[rows[i + PREFETCH_DISTANCE] + 1] - at)
            prefetch_array(&data[at], indptr[rows[i + PREFETCH_DISTANCE] + 1] - at)
        for at in range(indptr[rows[i]], indptr[rows[i] + 1]):
            f = new_numbers[indices[at]]
            square = <double>data[at] * data[at]
            c.squared_norms[i] += square
            if f < c.n_shared:
                c.indices[n_shared_entries] = f
                c.data[n_shared_entries] = data[at]
                n_shared_entries += 1
            else:
                c.singleton_indices[n_singletons] = f
                c.singleton_data[n_singletons] = data[at]
                c.singleton_squared_norms[i] += square
                n_singletons += 1
    c.indptr[c.n_rows] = n_shared_entries
    c.singleton_indptr[c.n_rows] = n_singletons


cdef void release_cluster(Cluster* c) noexcept nogil:
    free(c.columns)
    free(c.indptr)
    free(c.indices)
    free(c.data)
    free(c.singleton_indptr)
    free(c.singleton_indices)
    free(c.singleton_data)
    free(c.singleton_squared_norms)
    free(c.squared_norms)
