"""The rows of one cluster over the features that occur in it.

Two exact changes make training cheap inside a cluster, where rows share few features:
* the features that occur are renumbered, most frequent first, so that w is short and its busy part
  stays in the first cache lines;
* a feature of one row only is folded away: its weight is a_i y_i x_ij, so all it adds to the row's
  margin is a_i y_i x_ij^2. The sum of these squares, `fold`, is kept for the row; the weight
  is written out at the end.
"""

from libc.stdlib cimport calloc, free, malloc

from skxmr._core.types cimport index_t, offset_t
from skxmr._linear.simd.lanes cimport prefetch_all


cdef bint compact(Cluster* c, const offset_t[::1] indptr, const index_t[::1] indices,
                  const float[::1] data, const index_t[::1] rows,
                  index_t[::1] scratch) noexcept nogil:
    # Renumber the features that occur, most frequent first, and copy the rows. `scratch` holds 0
    # for every column of X on entry and again on return. False if memory ran out.
    cdef index_t n_rows = <index_t>rows.shape[0]
    cdef index_t i, f, n_features = 0
    cdef offset_t at, n_entries = 0, n_shared_entries = 0, n_own_entries = 0, most
    cdef index_t* seen
    cdef index_t* count
    cdef offset_t* start
    for i in range(n_rows):
        n_entries += indptr[rows[i] + 1] - indptr[rows[i]]
    c.n_rows = n_rows
    most = min(n_entries, scratch.shape[0])  # features
    seen = <index_t*>malloc((most + 1) * sizeof(index_t))
    count = <index_t*>calloc(most + 1, sizeof(index_t))
    c.feature = <index_t*>malloc((most + 1) * sizeof(index_t))
    c.indptr = <offset_t*>malloc((n_rows + 1) * sizeof(offset_t))
    c.own_indptr = <offset_t*>malloc((n_rows + 1) * sizeof(offset_t))
    c.fold = <double*>calloc(n_rows + 1, sizeof(double))
    c.norm = <double*>calloc(n_rows + 1, sizeof(double))
    start = <offset_t*>calloc(n_rows + 2, sizeof(offset_t))
    cdef bint good = (seen and count and c.feature and c.indptr and c.own_indptr and c.fold
                      and c.norm and start)
    if good:
        for i in range(n_rows):
            if i + 3 < n_rows:
                at = indptr[rows[i + 3]]
                prefetch_all(&indices[at], indptr[rows[i + 3] + 1] - at)
            for at in range(indptr[rows[i]], indptr[rows[i] + 1]):
                f = scratch[indices[at]]
                if f == 0:
                    seen[n_features] = indices[at]
                    n_features += 1
                    f = n_features
                    scratch[indices[at]] = f
                count[f - 1] += 1
        # Counting sort by falling frequency; equal frequencies keep their order of arrival.
        for f in range(n_features):
            start[n_rows - count[f] + 1] += 1
            if count[f] == 1:
                n_own_entries += 1
        for i in range(n_rows):
            start[i + 1] += start[i]
        for f in range(n_features):
            at = start[n_rows - count[f]]
            start[n_rows - count[f]] += 1
            c.feature[at] = seen[f]
            scratch[seen[f]] = <index_t>at
        c.n_features = n_features
        c.n_shared = n_features - <index_t>n_own_entries
        n_shared_entries = n_entries - n_own_entries
        c.indices = <index_t*>malloc((n_shared_entries + 1) * sizeof(index_t))
        c.data = <float*>malloc((n_shared_entries + 1) * sizeof(float))
        c.own_indices = <index_t*>malloc((n_own_entries + 1) * sizeof(index_t))
        c.own_data = <float*>malloc((n_own_entries + 1) * sizeof(float))
        good = c.indices and c.data and c.own_indices and c.own_data
        if good:
            copy_rows(c, indptr, indices, data, rows, scratch)
        for f in range(n_features):
            scratch[seen[f]] = 0
    free(seen)
    free(count)
    free(start)
    return good


cdef void copy_rows(Cluster* c, const offset_t[::1] indptr, const index_t[::1] indices,
                    const float[::1] data, const index_t[::1] rows,
                    const index_t[::1] number) noexcept nogil:
    cdef offset_t at, shared = 0, own = 0
    cdef index_t i, f
    cdef double square
    for i in range(c.n_rows):
        c.indptr[i] = shared
        c.own_indptr[i] = own
        c.norm[i] = 1.0
        if i + 3 < c.n_rows:
            at = indptr[rows[i + 3]]
            prefetch_all(&indices[at], indptr[rows[i + 3] + 1] - at)
            prefetch_all(&data[at], indptr[rows[i + 3] + 1] - at)
        for at in range(indptr[rows[i]], indptr[rows[i] + 1]):
            f = number[indices[at]]
            square = <double>data[at] * data[at]
            c.norm[i] += square
            if f < c.n_shared:
                c.indices[shared] = f
                c.data[shared] = data[at]
                shared += 1
            else:
                c.own_indices[own] = f
                c.own_data[own] = data[at]
                c.fold[i] += square
                own += 1
    c.indptr[c.n_rows] = shared
    c.own_indptr[c.n_rows] = own


cdef void release_cluster(Cluster* c) noexcept nogil:
    free(c.feature)
    free(c.indptr)
    free(c.indices)
    free(c.data)
    free(c.own_indptr)
    free(c.own_indices)
    free(c.own_data)
    free(c.fold)
    free(c.norm)
