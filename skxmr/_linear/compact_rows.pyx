"""Copy the rows of one cluster and renumber their features, so that training is fast.

The rows of a cluster contain only a part of all features. Three changes make training cheaper
without changing its result:

* Features that occur in the cluster are renumbered, most frequent first. The weight vector w is
  then short, and its most frequently used elements are next to each other in memory.
* Dense features, which occur in most rows, are stored without indices and with their zeros. If they
  are exactly the columns of the dense part of X, such as embeddings, they are used in place.
* Singleton features, which occur in one row i only, are removed from the rows. The optimal weight
  of such a feature j is a_i y_i x_ij, where a_i is the dual of the row. The feature adds
  a_i y_i x_ij^2 to the margin of row i and nothing to other margins. Training needs only the sum
  of these x_ij^2 per row; `collect_weights` in dual_solver.pyx computes the weights at the end.
  In leaf clusters, 51 % (WordNet hypernyms), 53 % (Debian package dependencies) and 79 % (YSO
  titles) of the features are singletons (default settings, November 2026).

The kind and the number of a feature depend only on the values of the rows, not on the part of X
that contains it. A dense, a sparse and a mixed X therefore give the same weights.
"""

from libc.stdlib cimport calloc, free, malloc, qsort

from skxmr._core.training_rows cimport TrainingRows, dense_part
from skxmr._core.types cimport index_t, offset_t
from skxmr._linear.simd.lanes cimport prefetch_array

# Rows of the cluster are not neighbors in X, so each row is prefetched this many rows in advance.
cdef enum:
    PREFETCH_DISTANCE = 3
# A shared feature is dense if it occurs in at least this fraction of the rows.
cdef double DENSE_FREQUENCY = 0.75
# Minimum fraction of the entries of all shared features that are entries of dense features. With
# fewer, no feature is dense: a few dense features slow training of text (WordNet, Debian and YSO,
# November 2026).
cdef double MIN_DENSE_ENTRIES = 0.5


cdef struct FeatureCounts:
    # Features of a cluster in the order of their first occurrence.
    index_t n_features
    index_t* columns               # column of X of each feature
    index_t* frequencies           # number of rows that contain it
    index_t* dense_frequencies     # rows that contain each column of the dense part of X
    index_t n_dense_seen           # columns of the dense part of X that are features


cdef inline index_t find_feature(FeatureCounts* counts, index_t column,
                                 index_t* scratch) noexcept nogil:
    # Return the feature of a column of X, plus 1; a column that is new becomes a feature.
    if scratch[column] == 0:
        counts.columns[counts.n_features] = column
        counts.n_features += 1
        scratch[column] = counts.n_features
    return scratch[column]


cdef inline void prefetch_features(const TrainingRows* X, index_t row) noexcept nogil:
    cdef offset_t start = X.indptr[row]
    prefetch_array(&X.indices[start], X.indptr[row + 1] - start)
    prefetch_array(dense_part(X, row), X.n_dense)


cdef inline void prefetch_row(const TrainingRows* X, index_t row) noexcept nogil:
    cdef offset_t start = X.indptr[row]
    prefetch_features(X, row)
    prefetch_array(&X.data[start], X.indptr[row + 1] - start)


cdef void count_features(FeatureCounts* counts, const TrainingRows* X, const index_t[::1] rows,
                         index_t* scratch) noexcept nogil:
    # Afterwards, scratch[column] is the position of the column in counts.columns, plus 1.
    cdef index_t i, j, f, n_rows = <index_t>rows.shape[0], n_before
    cdef index_t first_dense = X.n_columns - X.n_dense
    cdef offset_t at
    cdef const float* dense
    for i in range(n_rows):
        if i + PREFETCH_DISTANCE < n_rows:
            prefetch_features(X, rows[i + PREFETCH_DISTANCE])
        for at in range(X.indptr[rows[i]], X.indptr[rows[i] + 1]):
            f = find_feature(counts, X.indices[at], scratch)
            counts.frequencies[f - 1] += 1
        dense = dense_part(X, rows[i])
        if counts.n_dense_seen < X.n_dense:
            n_before = counts.n_features
            for j in range(X.n_dense):
                if dense[j] != 0:
                    find_feature(counts, first_dense + j, scratch)
            counts.n_dense_seen += counts.n_features - n_before
        for j in range(X.n_dense):
            counts.dense_frequencies[j] += dense[j] != 0
    for j in range(X.n_dense):
        f = scratch[first_dense + j]
        if f:
            counts.frequencies[f - 1] = counts.dense_frequencies[j]


cdef int compare_columns(const void* a, const void* b) noexcept nogil:
    return (<const index_t*>a)[0] - (<const index_t*>b)[0]


cdef void sort_columns(index_t* columns, index_t n) noexcept nogil:
    # Usually they are sorted: the first row contains all of them.
    cdef index_t f
    for f in range(1, n):
        if columns[f] < columns[f - 1]:
            qsort(columns, n, sizeof(index_t), compare_columns)
            break


cdef bint number_features(Cluster* c, const FeatureCounts* counts,
                          index_t* scratch) noexcept nogil:
    # Set c.columns and the numbers of features. Afterwards, scratch[column] is the number of the
    # feature. Returns False if memory runs out.
    cdef index_t f, at, n_rows = c.n_rows, n_singletons = 0
    cdef offset_t n_shared_entries = 0, n_dense_entries = 0
    # For the counting sort by decreasing frequency: next free position per frequency. Features of
    # equal frequency keep their order.
    cdef index_t* bucket_starts = <index_t*>calloc(n_rows + 2, sizeof(index_t))
    c.columns = <index_t*>malloc((counts.n_features + 1) * sizeof(index_t))
    if not bucket_starts or not c.columns:
        free(bucket_starts)
        return False
    for f in range(counts.n_features):
        bucket_starts[n_rows - counts.frequencies[f] + 1] += 1
        if counts.frequencies[f] == 1:
            n_singletons += 1
            continue
        n_shared_entries += counts.frequencies[f]
        if counts.frequencies[f] >= DENSE_FREQUENCY * n_rows:
            n_dense_entries += counts.frequencies[f]
            c.n_dense += 1
    if n_dense_entries < MIN_DENSE_ENTRIES * n_shared_entries:
        c.n_dense = 0
    for f in range(n_rows):
        bucket_starts[f + 1] += bucket_starts[f]
    for f in range(counts.n_features):
        at = bucket_starts[n_rows - counts.frequencies[f]]
        bucket_starts[n_rows - counts.frequencies[f]] += 1
        c.columns[at] = counts.columns[f]
    free(bucket_starts)
    sort_columns(c.columns, c.n_dense)
    for f in range(counts.n_features):
        scratch[c.columns[f]] = f
    c.n_features = counts.n_features
    c.n_shared = counts.n_features - n_singletons
    return True


cdef inline bint uses_dense_part(const Cluster* c, const TrainingRows* X) noexcept nogil:
    # Whether the dense features are exactly the columns of the dense part of X.
    return (c.n_dense > 0 and c.n_dense == X.n_dense
            and c.columns[0] == X.n_columns - X.n_dense
            and c.columns[c.n_dense - 1] == X.n_columns - 1)


cdef double sum_squares(const float* values, index_t n) noexcept nogil:
    # Four sums, because each addition to one sum waits for the previous addition.
    cdef double a = 0.0, b = 0.0, c = 0.0, d = 0.0
    cdef index_t at = 0
    while at + 4 <= n:
        a += <double>values[at] * values[at]
        b += <double>values[at + 1] * values[at + 1]
        c += <double>values[at + 2] * values[at + 2]
        d += <double>values[at + 3] * values[at + 3]
        at += 4
    while at < n:
        a += <double>values[at] * values[at]
        at += 1
    return (a + b) + (c + d)


cdef struct Ends:
    # Numbers of the entries copied so far, and sums of the squares of the current row.
    offset_t n_entries
    offset_t n_singletons
    double squared_norm              # without the dense features
    double singleton_squared_norm


cdef inline void add_value(Cluster* c, index_t i, index_t f, float value,
                           Ends* ends) noexcept nogil:
    # Append the value of feature f to row i.
    cdef double square = <double>value * value
    if f < c.n_dense:
        c.dense_values[<offset_t>i * c.n_dense + f] = value
        return
    ends.squared_norm += square
    if f < c.n_shared:
        c.indices[ends.n_entries] = f
        c.data[ends.n_entries] = value
        ends.n_entries += 1
    else:
        c.singleton_indices[ends.n_singletons] = f
        c.singleton_data[ends.n_singletons] = value
        ends.n_singletons += 1
        ends.singleton_squared_norm += square


cdef void copy_rows(Cluster* c, const TrainingRows* X, const index_t[::1] rows,
                    const index_t* new_numbers) noexcept nogil:
    # new_numbers[column] is the number of the feature.
    cdef offset_t at
    cdef index_t i, j, first_dense = X.n_columns - X.n_dense
    cdef const float* dense
    cdef bint in_place = c.dense_values == NULL
    cdef Ends ends
    ends.n_entries = ends.n_singletons = 0
    for i in range(c.n_rows):
        c.indptr[i] = ends.n_entries
        c.singleton_indptr[i] = ends.n_singletons
        ends.squared_norm = 1.0      # of the constant feature
        ends.singleton_squared_norm = 0.0
        dense = dense_part(X, rows[i])
        c.dense_rows[i] = dense if in_place else &c.dense_values[<offset_t>i * c.n_dense]
        if i + PREFETCH_DISTANCE < c.n_rows:
            prefetch_row(X, rows[i + PREFETCH_DISTANCE])
        for at in range(X.indptr[rows[i]], X.indptr[rows[i] + 1]):
            add_value(c, i, new_numbers[X.indices[at]], X.data[at], &ends)
        for j in range(0 if in_place else X.n_dense):
            if dense[j] != 0:
                add_value(c, i, new_numbers[first_dense + j], dense[j], &ends)
        c.squared_norms[i] = ends.squared_norm + sum_squares(c.dense_rows[i], c.n_dense)
        c.singleton_squared_norms[i] = ends.singleton_squared_norm
    c.indptr[c.n_rows] = ends.n_entries
    c.singleton_indptr[c.n_rows] = ends.n_singletons


cdef bint allocate_rows(Cluster* c, const TrainingRows* X, const FeatureCounts* counts,
                        const index_t* new_numbers) noexcept nogil:
    # Allocate all arrays except c.columns. new_numbers[column] is the number of the feature.
    # Returns False if memory runs out.
    cdef offset_t n_entries = 0
    cdef index_t f, n_singletons = c.n_features - c.n_shared
    for f in range(c.n_features):
        if c.n_dense <= new_numbers[counts.columns[f]] < c.n_shared:
            n_entries += counts.frequencies[f]
    c.dense_rows = <const float**>malloc((c.n_rows + 1) * sizeof(const float*))
    c.indptr = <offset_t*>malloc((c.n_rows + 1) * sizeof(offset_t))
    c.indices = <index_t*>malloc((n_entries + 1) * sizeof(index_t))
    c.data = <float*>malloc((n_entries + 1) * sizeof(float))
    c.singleton_indptr = <offset_t*>malloc((c.n_rows + 1) * sizeof(offset_t))
    c.singleton_indices = <index_t*>malloc((n_singletons + 1) * sizeof(index_t))
    c.singleton_data = <float*>malloc((n_singletons + 1) * sizeof(float))
    c.singleton_squared_norms = <double*>calloc(c.n_rows + 1, sizeof(double))
    c.squared_norms = <double*>malloc((c.n_rows + 1) * sizeof(double))
    if not uses_dense_part(c, X):
        c.dense_values = <float*>calloc(<offset_t>c.n_rows * c.n_dense + 1, sizeof(float))
        if not c.dense_values:
            return False
    return (c.dense_rows and c.indptr and c.indices and c.data and c.singleton_indptr
            and c.singleton_indices and c.singleton_data and c.singleton_squared_norms
            and c.squared_norms)


cdef bint compact_rows(Cluster* c, const TrainingRows* X, const index_t[::1] rows,
                       index_t[::1] scratch) noexcept nogil:
    # Fill a zero-initialized Cluster. `scratch` has one number per column of X; it is 0 on entry
    # and on return. Returns False if memory runs out.
    cdef FeatureCounts counts
    cdef index_t i, f, max_features
    cdef offset_t n_entries = 0
    cdef bint has_memory
    c.n_rows = <index_t>rows.shape[0]
    for i in range(c.n_rows):
        n_entries += X.indptr[rows[i] + 1] - X.indptr[rows[i]]
    max_features = <index_t>min(n_entries, X.n_columns - X.n_dense) + X.n_dense
    counts.n_features = counts.n_dense_seen = 0
    counts.columns = <index_t*>malloc((max_features + 1) * sizeof(index_t))
    counts.frequencies = <index_t*>calloc(max_features + 1, sizeof(index_t))
    counts.dense_frequencies = <index_t*>calloc(X.n_dense + 1, sizeof(index_t))
    has_memory = counts.columns and counts.frequencies and counts.dense_frequencies
    if has_memory:
        count_features(&counts, X, rows, &scratch[0])
        has_memory = (number_features(c, &counts, &scratch[0])
                      and allocate_rows(c, X, &counts, &scratch[0]))
        if has_memory:
            copy_rows(c, X, rows, &scratch[0])
        for f in range(counts.n_features):
            scratch[counts.columns[f]] = 0
    free(counts.columns)
    free(counts.frequencies)
    free(counts.dense_frequencies)
    return has_memory


cdef void release_cluster(Cluster* c) noexcept nogil:
    free(c.columns)
    free(c.dense_rows)
    free(c.dense_values)
    free(c.indptr)
    free(c.indices)
    free(c.data)
    free(c.singleton_indptr)
    free(c.singleton_indices)
    free(c.singleton_data)
    free(c.singleton_squared_norms)
    free(c.squared_norms)
