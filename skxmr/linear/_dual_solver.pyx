"""Train the children of one cluster one-vs-all: L2-loss linear SVMs by dual coordinate descent.

For each child the objective is that of LIBLINEAR's solver 1,

    min_w  1/2 |w|^2 + C sum_i max(0, 1 - y_i w.x_i)^2,

with y_i = +1 on the rows of the child and -1 on the other rows of the cluster, and a constant
feature 1 appended to every row, whose weight is the intercept. Its dual has one variable a_i >= 0
a row, w = sum_i a_i y_i x_i, and is solved one variable at a time in random order with shrinking:
Hsieh, Chang, Lin, Keerthi, Sundararajan (2008), "A dual coordinate descent method for large-scale
linear SVM", ICML, algorithm 3. It stops when the projected gradients of all rows lie within `tol`
of each other, or after `max_iter` sweeps.

The rows come compacted, their one-row features folded away: see `_compact_rows`.
"""

import numpy as np

from libc.math cimport fabs, INFINITY
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memset

from skxmr._core._random cimport random_below, random_state
from skxmr._core.types cimport index_t, offset_t, uint16_t, uint64_t
from skxmr.linear._compact_rows cimport Cluster, compact, release_cluster


cdef struct Solution:
    # Work space of one child at a time.
    double* w                  # (n_shared + 1) weights; the last is the intercept
    double* a                  # (n_rows) dual variables
    signed char* y             # (n_rows) targets
    index_t* active            # (n_rows) rows in play first, shrunk ones behind


cdef struct Weights:
    # The weights that were kept, child after child; grows.
    offset_t size
    offset_t capacity
    index_t* feature           # feature of the cluster
    uint16_t* child
    float* value


cdef int solve_child(const Cluster* c, Solution* s, double C, double tol, int max_iter,
                     uint64_t* rng) noexcept nogil:
    # Dual coordinate descent for the targets in s.y. Returns the number of sweeps.
    cdef double ridge = 0.5 / C             # the diagonal that the squared loss adds to the dual
    cdef double top = INFINITY              # largest projected gradient of the sweep before
    cdef double new_top, new_bottom, g, pg, old, step
    cdef double intercept = 0.0
    cdef index_t n_active = c.n_rows, at, swap, i
    cdef offset_t e
    cdef int sweep = 0
    for i in range(c.n_rows):
        s.active[i] = i
        s.a[i] = 0.0
    memset(s.w, 0, (c.n_shared + 1) * sizeof(double))
    while sweep < max_iter:
        new_top = -INFINITY
        new_bottom = INFINITY
        for at in range(n_active):
            swap = at + random_below(rng, n_active - at)
            i = s.active[swap]
            s.active[swap] = s.active[at]
            s.active[at] = i
        at = 0
        while at < n_active:
            i = s.active[at]
            g = intercept
            for e in range(c.indptr[i], c.indptr[i + 1]):
                g += s.w[c.indices[e]] * c.data[e]
            g = s.y[i] * g - 1.0 + s.a[i] * (c.fold[i] + ridge)
            pg = g
            if s.a[i] == 0.0:
                if g > top:                 # at its bound and not likely to leave it: shrink
                    n_active -= 1
                    s.active[at] = s.active[n_active]
                    s.active[n_active] = i
                    continue
                if g > 0.0:
                    pg = 0.0
            new_top = max(new_top, pg)
            new_bottom = min(new_bottom, pg)
            if fabs(pg) > 1e-12:
                old = s.a[i]
                s.a[i] = max(old - g / (c.norm[i] + ridge), 0.0)
                step = (s.a[i] - old) * s.y[i]
                if step != 0.0:
                    intercept += step
                    for e in range(c.indptr[i], c.indptr[i + 1]):
                        s.w[c.indices[e]] += step * c.data[e]
            at += 1
        sweep += 1
        if new_top - new_bottom <= tol:
            if n_active == c.n_rows:
                break
            n_active = c.n_rows             # check the shrunk rows once more before stopping
            top = INFINITY
            continue
        top = new_top if new_top > 0.0 else INFINITY
    s.w[c.n_shared] = intercept
    return sweep


cdef bint keep(Weights* kept, index_t feature, uint16_t child, double value) noexcept nogil:
    cdef offset_t capacity
    cdef index_t* grown_feature
    cdef uint16_t* grown_child
    cdef float* grown_value
    if kept.size == kept.capacity:
        capacity = 2 * kept.capacity + 1024
        # A failed realloc leaves the old block, which release_weights frees.
        grown_feature = <index_t*>realloc(kept.feature, capacity * sizeof(index_t))
        if grown_feature:
            kept.feature = grown_feature
        grown_child = <uint16_t*>realloc(kept.child, capacity * sizeof(uint16_t))
        if grown_child:
            kept.child = grown_child
        grown_value = <float*>realloc(kept.value, capacity * sizeof(float))
        if grown_value:
            kept.value = grown_value
        if not (grown_feature and grown_child and grown_value):
            return False
        kept.capacity = capacity
    kept.feature[kept.size] = feature
    kept.child[kept.size] = child
    kept.value[kept.size] = <float>value
    kept.size += 1
    return True


cdef bint keep_child(const Cluster* c, const Solution* s, uint16_t child, double threshold,
                     Weights* kept) noexcept nogil:
    # Keep the weights of one child that are not 0 and at least the threshold in size.
    cdef index_t f, i
    cdef offset_t e
    cdef double value
    for f in range(c.n_shared):
        if fabs(s.w[f]) >= threshold and s.w[f] != 0.0:
            if not keep(kept, f, child, s.w[f]):
                return False
    for i in range(c.n_rows):
        if s.a[i] > 0.0:
            for e in range(c.own_indptr[i], c.own_indptr[i + 1]):
                value = s.a[i] * s.y[i] * c.own_data[e]
                if fabs(value) >= threshold and value != 0.0:
                    if not keep(kept, c.own_indices[e], child, value):
                        return False
    return True


cdef int rising(const void* p, const void* q) noexcept nogil:
    cdef uint64_t a = (<const uint64_t*>p)[0]
    cdef uint64_t b = (<const uint64_t*>q)[0]
    return (a > b) - (a < b)


cdef tuple pack(const Cluster* c, const Weights* kept):
    # Turn child-major weights into the chunk: features by rising column, children by rising number.
    cdef index_t f, n_kept = 0
    cdef offset_t e
    cdef offset_t* place = <offset_t*>calloc(c.n_features + 1, sizeof(offset_t))
    cdef uint64_t* keys = <uint64_t*>malloc((c.n_features + 1) * sizeof(uint64_t))
    try:
        if not place or not keys:
            raise MemoryError()
        for e in range(kept.size):
            place[kept.feature[e]] += 1
        for f in range(c.n_features):
            if place[f] > 0:
                keys[n_kept] = (<uint64_t>c.feature[f] << 32) | <uint64_t>f
                n_kept += 1
        with nogil:
            qsort(keys, n_kept, sizeof(uint64_t), &rising)
        features = np.empty(n_kept, dtype=np.int32)
        counts = np.empty(n_kept, dtype=np.int32)
        children = np.empty(kept.size, dtype=np.uint16)
        values = np.empty(kept.size, dtype=np.float32)
        fill_chunk(c, kept, place, keys, n_kept, features, counts, children, values)
    finally:
        free(place)
        free(keys)
    return features, counts, children, values


cdef void fill_chunk(const Cluster* c, const Weights* kept, offset_t* place, const uint64_t* keys,
                     index_t n_kept, index_t[::1] features, index_t[::1] counts,
                     uint16_t[::1] children, float[::1] values) noexcept nogil:
    cdef index_t at, f
    cdef offset_t e, count, total = 0
    for at in range(n_kept):
        f = <index_t>(keys[at] & <uint64_t>0xFFFFFFFF)
        features[at] = c.feature[f]
        count = place[f]
        counts[at] = <index_t>count
        place[f] = total
        total += count
    for e in range(kept.size):
        f = kept.feature[e]
        children[place[f]] = kept.child[e]
        values[place[f]] = kept.value[e]
        place[f] += 1


cdef void set_targets(const Cluster* c, Solution* s, const index_t[::1] rows,
                      const index_t[::1] positives) noexcept nogil:
    # Positives are rows of X, as `rows` are; both rise, so one binary search each finds the place.
    cdef index_t lo, hi, middle
    cdef offset_t e
    memset(s.y, -1, c.n_rows)
    for e in range(positives.shape[0]):
        lo = 0
        hi = c.n_rows
        while lo < hi:
            middle = lo + (hi - lo) // 2
            if rows[middle] < positives[e]:
                lo = middle + 1
            else:
                hi = middle
        if lo < c.n_rows and rows[lo] == positives[e]:
            s.y[lo] = 1


def solve_cluster(
    const offset_t[::1] indptr,        # IN (n_samples + 1) rows of X
    const index_t[::1] indices,        # IN
    const float[::1] data,             # IN
    const index_t[::1] rows,           # IN rows of the cluster, rising
    const offset_t[::1] child_indptr,  # IN (n_children + 1) rows of each child, in child_rows
    const index_t[::1] child_rows,     # IN rising inside a child; those not in `rows` are ignored
    double C,
    double tol,
    int max_iter,
    double threshold,                  # smaller weights are dropped; intercepts never are
    uint64_t seed,
    index_t[::1] scratch,              # INOUT (n_features), 0 on entry and on return
):
    """Solve one cluster.

    Returns (features, counts, children, values, intercepts, n_iter): the chunk's sorted features,
    the number of weights of each, the child and the value of each weight, an intercept for each
    child, and the largest number of sweeps.
    """
    cdef Cluster c
    cdef Solution s
    cdef Weights kept
    cdef index_t child, n_children = <index_t>(child_indptr.shape[0] - 1)
    cdef int n_iter = 0
    cdef uint64_t rng = random_state(seed)
    cdef bint good
    intercepts = np.empty(n_children, dtype=np.float32)
    cdef float[::1] intercept = intercepts
    memset(&c, 0, sizeof(Cluster))
    memset(&s, 0, sizeof(Solution))
    memset(&kept, 0, sizeof(Weights))
    try:
        with nogil:
            good = compact(&c, indptr, indices, data, rows, scratch)
            if good:
                s.w = <double*>malloc((c.n_shared + 1) * sizeof(double))
                s.a = <double*>malloc((c.n_rows + 1) * sizeof(double))
                s.y = <signed char*>malloc(c.n_rows + 1)
                s.active = <index_t*>malloc((c.n_rows + 1) * sizeof(index_t))
                good = s.w and s.a and s.y and s.active
            for child in range(n_children):
                if not good:
                    break
                set_targets(&c, &s, rows,
                            child_rows[child_indptr[child]:child_indptr[child + 1]])
                n_iter = max(n_iter, solve_child(&c, &s, C, tol, max_iter, &rng))
                intercept[child] = <float>s.w[c.n_shared]
                good = keep_child(&c, &s, <uint16_t>child, threshold, &kept)
        if not good:
            raise MemoryError()
        return (*pack(&c, &kept), intercepts, n_iter)
    finally:
        release_cluster(&c)
        free(s.w)
        free(s.a)
        free(s.y)
        free(s.active)
        free(kept.feature)
        free(kept.child)
        free(kept.value)
