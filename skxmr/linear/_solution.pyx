"""The work space of a cluster's solutions, and where their duals start.

From 0 the first rows of a sweep would take nearly the whole weight of the intercept, and later
sweeps must spread it. It is better to start from the best duals that are equal on all positives and
equal on all negatives, found from sums of rows: on the leaves of three data sets 7.5, 10.3 and 4.8
sweeps in place of 9.2, 12.4 and 7.5.
"""

from libc.math cimport INFINITY
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from skxmr._core.types cimport index_t, offset_t, uint16_t
from skxmr.linear._compact_rows cimport Cluster
from skxmr.linear._lanes cimport LANES, sweep_bounds


cdef struct Start:
    # Duals of one lane: a on all positives, b on all negatives.
    float a
    float b


cdef bint make_room(const Cluster* c, Solution* s, double C) noexcept nogil:
    cdef size_t n_weights = (<size_t>c.n_shared + 1) * LANES * sizeof(float)
    cdef size_t n_duals = <size_t>c.n_rows * LANES * sizeof(float)
    cdef char* at
    cdef index_t i
    cdef offset_t e
    cdef double ridge = 0.5 / C             # the diagonal that the squared loss adds to the dual
    s.block = malloc(n_weights + n_duals + sizeof(sweep_bounds) + 64)
    s.positive = <uint16_t*>malloc((c.n_rows + 1) * sizeof(uint16_t))
    s.active = <uint16_t*>malloc((c.n_rows + 1) * sizeof(uint16_t))
    s.order = <index_t*>malloc((c.n_rows + 1) * sizeof(index_t))
    s.diagonal = <float*>malloc((c.n_rows + 1) * sizeof(float))
    s.inverse = <float*>malloc((c.n_rows + 1) * sizeof(float))
    s.total = <float*>calloc(c.n_shared + 1, sizeof(float))
    s.with_total = <float*>calloc(c.n_rows + 1, sizeof(float))
    s.sum = <float*>calloc(c.n_shared + 1, sizeof(float))
    if not (s.block and s.positive and s.active and s.order and s.diagonal and s.inverse and s.total
            and s.with_total and s.sum):
        return False
    # The lanes of a vector lie on a cache line of 64 bytes.
    at = <char*>s.block + (64 - <size_t>s.block % 64)
    s.intercepts = <float*>at
    s.duals = <float*>(at + n_weights)
    s.bounds = <sweep_bounds*>(at + n_weights + n_duals)
    for i in range(c.n_rows):
        s.diagonal[i] = <float>(c.fold[i] + ridge)
        s.inverse[i] = <float>(1.0 / (c.norm[i] + ridge))
        s.total_diagonal += s.diagonal[i]
        for e in range(c.indptr[i], c.indptr[i + 1]):
            s.total[c.indices[e]] += c.data[e]
    for i in range(c.n_rows):
        for e in range(c.indptr[i], c.indptr[i + 1]):
            s.with_total[i] += c.data[e] * s.total[c.indices[e]]
        s.total_norm += s.with_total[i]
    if not s.total_norm < INFINITY:
        memset(s.total, 0, c.n_shared * sizeof(float))
    return True


cdef void release_room(Solution* s) noexcept nogil:
    free(s.block)
    free(s.positive)
    free(s.active)
    free(s.order)
    free(s.diagonal)
    free(s.inverse)
    free(s.total)
    free(s.with_total)
    free(s.sum)


cdef index_t find_rows(const index_t[::1] rows, const index_t[::1] child_rows, offset_t first,
                       offset_t stop, index_t* found) noexcept nogil:
    # Positives are rows of X, as `rows` are; both rise, so one binary search each finds the place.
    cdef index_t lo = 0, hi, middle, row, n = 0
    cdef offset_t e
    for e in range(first, stop):
        row = child_rows[e]
        hi = <index_t>rows.shape[0]
        while lo < hi:
            middle = lo + (hi - lo) // 2
            if rows[middle] < row:
                lo = middle + 1
            else:
                hi = middle
        if lo < rows.shape[0] and rows[lo] == row:
            found[n] = lo
            n += 1
    return n


cdef Start uniform_duals(const Cluster* c, const Solution* s, const index_t* positives,
                         index_t n) noexcept nogil:
    # The best a on all positives and b on all negatives: with P and N the sums of these rows they
    # minimise, over a, b >= 0,
    #
    #     1/2 |a P - b N|^2 + 1/2 a^2 d(P) + 1/2 b^2 d(N) - a n(P) - b n(N),
    #
    # where d sums the diagonals.
    cdef index_t at, i, m = c.n_rows - n
    cdef offset_t e
    cdef double pp = 0.0, pt = 0.0, dp = 0.0, pn, nn, det
    cdef float before
    cdef Start start
    for at in range(n):
        i = positives[at]
        pt += s.with_total[i]
        dp += s.diagonal[i]
        for e in range(c.indptr[i], c.indptr[i + 1]):
            # |P + x|^2 - |P|^2, a feature at a time.
            before = s.sum[c.indices[e]]
            pp += c.data[e] * (2.0 * before + c.data[e])
            s.sum[c.indices[e]] = before + c.data[e]
    for at in range(n):
        for e in range(c.indptr[positives[at]], c.indptr[positives[at] + 1]):
            s.sum[c.indices[e]] = 0.0
    # The constant feature is n in P, and the number of rows in all rows' sum P + N.
    pp += <double>n * n
    pt += <double>n * c.n_rows
    pn = pt - pp
    nn = <double>c.n_rows * c.n_rows + s.total_norm - 2.0 * pt + pp + s.total_diagonal - dp
    pp += dp
    det = pp * nn - pn * pn
    start.a = <float>((n * nn + m * pn) / det)
    start.b = <float>((m * pp + n * pn) / det)
    if not (0.0 <= start.a < INFINITY and 0.0 <= start.b < INFINITY):
        start.a = start.b = 0.0             # a start as good as any
    return start


cdef void start_lanes(const Cluster* c, Solution* s, const index_t[::1] rows,
                      const offset_t[::1] child_indptr, const index_t[::1] child_rows,
                      const index_t* children, int n_lanes) noexcept nogil:
    # Set the positive rows, the first duals and their weights.
    cdef float[16] a, b                     # LANES of them
    cdef float both
    cdef index_t i, f, n, at
    cdef offset_t e
    cdef int lane
    cdef float* w
    cdef Start start
    memset(s.positive, 0, c.n_rows * sizeof(uint16_t))
    for lane in range(s.lanes):
        a[lane] = b[lane] = 0.0
        s.intercepts[lane] = 0.0
    for lane in range(n_lanes):
        n = find_rows(rows, child_rows, child_indptr[children[lane]],
                      child_indptr[children[lane] + 1], s.order)
        start = uniform_duals(c, s, s.order, n)
        a[lane] = start.a
        b[lane] = start.b
        s.intercepts[lane] = start.a * n - start.b * (c.n_rows - n)
        for at in range(n):
            s.positive[s.order[at]] |= <uint16_t>(1 << lane)
    for f in range(c.n_shared):
        w = &s.weights[<offset_t>f * s.lanes]
        for lane in range(s.lanes):
            w[lane] = -b[lane] * s.total[f]
    for i in range(c.n_rows):
        w = &s.duals[<offset_t>i * s.lanes]
        for lane in range(s.lanes):
            w[lane] = b[lane]
        if not s.positive[i]:
            continue
        for lane in range(n_lanes):
            if s.positive[i] >> lane & 1:
                w[lane] = a[lane]
                both = a[lane] + b[lane]
                for e in range(c.indptr[i], c.indptr[i + 1]):
                    s.weights[<offset_t>c.indices[e] * s.lanes + lane] += both * c.data[e]
