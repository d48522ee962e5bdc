"""The work space of a cluster's solutions, and where their duals start.

From 0 the first rows of a sweep would take nearly the whole weight of the intercept, and later
sweeps must spread it. It is better to start from the best duals that are equal on all positives and
equal on all negatives, or in proportion to the weights of rows, found from sums of rows: on the
leaves of three data sets 7.5, 10.3 and 4.8 sweeps in place of 9.2, 12.4 and 7.5.

They are best for the squared hinge. The other losses, whose duals have an upper bound, start from
them too, cut to what all of a child's rows allow.
"""

from libc.math cimport INFINITY, expf, logf
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

from skxmr._core.types cimport index_t, offset_t, uint16_t
from skxmr._linear.compact_rows cimport Cluster
from skxmr._linear.simd.lanes cimport HINGE, LANES, LOGISTIC_LOSS, row_terms, sweep_bounds

# A cost of 0 would divide by 0; this is as good as none.
cdef float LEAST_COST = 1e-20


cdef struct Start:
    # Duals of one lane: a on all positives, b on all negatives, times the shares of rows.
    float a
    float b


cdef inline double start_diagonal(int loss, double fold, double cost) noexcept nogil:
    # Diagonal of the dual. That of the logistic loss is not constant: for its start any will do.
    return fold if loss == HINGE else fold + 0.5 / cost


cdef bint make_room(const Cluster* c, Solution* s, const Costs* costs,
                    const index_t[::1] rows) noexcept nogil:
    cdef size_t n_weights = (<size_t>c.n_shared + 1) * LANES * sizeof(float)
    cdef size_t n_duals = <size_t>c.n_rows * LANES * sizeof(float)
    cdef char* at
    cdef index_t i
    cdef offset_t e
    cdef float share
    s.block = malloc(n_weights + n_duals + sizeof(sweep_bounds) + 64)
    s.positive = <uint16_t*>malloc((c.n_rows + 1) * sizeof(uint16_t))
    s.active = <uint16_t*>malloc((c.n_rows + 1) * sizeof(uint16_t))
    s.order = <index_t*>malloc((c.n_rows + 1) * sizeof(index_t))
    s.entry = <offset_t*>malloc((c.n_rows + 1) * sizeof(offset_t))
    s.terms = <row_terms*>malloc((c.n_rows + 1) * sizeof(row_terms))
    s.share = <float*>malloc((c.n_rows + 1) * sizeof(float))
    s.total = <float*>calloc(c.n_shared + 1, sizeof(float))
    s.with_total = <float*>calloc(c.n_rows + 1, sizeof(float))
    s.sum = <float*>calloc(c.n_shared + 1, sizeof(float))
    if not (s.block and s.positive and s.active and s.order and s.entry and s.terms and s.share
            and s.total and s.with_total and s.sum):
        return False
    if costs.positive != 1.0 or costs.targets:
        s.mixed = <index_t*>malloc((c.n_rows + 1) * sizeof(index_t))
        if not s.mixed:
            return False
    # The lanes of a vector lie on a cache line of 64 bytes.
    at = <char*>s.block + (64 - <size_t>s.block % 64)
    s.intercepts = <float*>at
    s.duals = <float*>(at + n_weights)
    s.bounds = <sweep_bounds*>(at + n_weights + n_duals)
    for i in range(c.n_rows):
        share = costs.rows[rows[i]] if costs.rows else <float>1.0
        s.share[i] = share
        s.terms[i].fold = <float>c.fold[i]
        s.terms[i].norm = <float>c.norm[i]
        s.terms[i].cost = max(<float>(costs.C * share), LEAST_COST)
        s.total_share += share
        s.total_diagonal += <double>share * share * start_diagonal(costs.loss, c.fold[i],
                                                                   s.terms[i].cost)
        for e in range(c.indptr[i], c.indptr[i + 1]):
            s.total[c.indices[e]] += share * c.data[e]
    for i in range(c.n_rows):
        for e in range(c.indptr[i], c.indptr[i + 1]):
            s.with_total[i] += c.data[e] * s.total[c.indices[e]]
        s.total_norm += s.share[i] * s.with_total[i]
    if not s.total_norm < INFINITY:
        memset(s.total, 0, c.n_shared * sizeof(float))
    return True


cdef void release_room(Solution* s) noexcept nogil:
    free(s.block)
    free(s.positive)
    free(s.active)
    free(s.order)
    free(s.entry)
    free(s.terms)
    free(s.share)
    free(s.mixed)
    free(s.costs)
    free(s.total)
    free(s.with_total)
    free(s.sum)


cdef const float* costs_of(const Solution* s, index_t i) noexcept nogil:
    # The costs of a row by lane, or NULL where they are alike.
    if s.mixed == NULL or s.mixed[i] < 0:
        return NULL
    return &s.costs[<offset_t>s.mixed[i] * s.lanes]


cdef index_t find_rows(const index_t[::1] rows, const index_t[::1] child_rows, offset_t first,
                       offset_t stop, index_t* found, offset_t* entry) noexcept nogil:
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
            entry[n] = e
            n += 1
    return n


cdef inline float positive_cost(const Costs* costs, offset_t entry) noexcept nogil:
    # Of a positive of share 1.
    cdef double cost = costs.C * costs.positive
    return <float>(cost * costs.targets[entry] if costs.targets else cost)


cdef Start uniform_duals(const Cluster* c, const Solution* s, const Costs* costs,
                         index_t n) noexcept nogil:
    # The best a on all positives and b on all negatives, the first n of s.order: with P and N the
    # sums of these rows, by share, they minimise, over a, b >= 0,
    #
    #     1/2 |a P - b N|^2 + 1/2 a^2 d(P) + 1/2 b^2 d(N) - a n(P) - b n(N),
    #
    # where n sums the shares and d the diagonals by squared share.
    cdef index_t at, i
    cdef offset_t e
    cdef double pp = 0.0, pt = 0.0, dp = 0.0, dn = s.total_diagonal, np = 0.0, pn, nn, nt, det
    cdef float before, x, share, cost, least = INFINITY
    cdef Start start
    for at in range(n):
        i = s.order[at]
        share = s.share[i]
        cost = positive_cost(costs, s.entry[at])
        least = min(least, cost)
        pt += share * s.with_total[i]
        np += share
        dn -= <double>share * share * start_diagonal(costs.loss, c.fold[i], s.terms[i].cost)
        dp += <double>share * share * start_diagonal(costs.loss, c.fold[i],
                                                     max(cost * share, LEAST_COST))
        for e in range(c.indptr[i], c.indptr[i + 1]):
            # |P + x|^2 - |P|^2, a feature at a time.
            x = share * c.data[e]
            before = s.sum[c.indices[e]]
            pp += x * (2.0 * before + x)
            s.sum[c.indices[e]] = before + x
    for at in range(n):
        for e in range(c.indptr[s.order[at]], c.indptr[s.order[at] + 1]):
            s.sum[c.indices[e]] = 0.0
    # The constant feature is n(P) in P, and n(P) + n(N) in all rows' sum P + N.
    nt = s.total_share
    pp += np * np
    pt += np * nt
    pn = pt - pp
    nn = nt * nt + s.total_norm - 2.0 * pt + pp + dn
    pp += dp
    det = pp * nn - pn * pn
    start.a = <float>((np * nn + (nt - np) * pn) / det)
    start.b = <float>(((nt - np) * pp + np * pn) / det)
    if not (0.0 <= start.a < INFINITY and 0.0 <= start.b < INFINITY):
        start.a = start.b = 0.0             # a start as good as any
    if costs.loss == HINGE:
        start.a = min(start.a, least)
        start.b = min(start.b, <float>costs.C)
    if costs.loss == LOGISTIC_LOSS:
        # No larger than they would be with the intercept alone, and strictly inside.
        share = <float>(np / nt)
        least *= max(<float>1.0 - share, <float>1e-3)
        cost = <float>costs.C * max(share, <float>1e-9)
        start.a = max(min(start.a, <float>0.999 * least), <float>0.01 * least)
        start.b = max(min(start.b, <float>0.999 * cost), <float>0.01 * cost)
    return start


cdef bint mix_costs(Solution* s, const Costs* costs, const index_t* found, const offset_t* entry,
                    index_t n, int lane, index_t* n_mixed) noexcept nogil:
    # Write the costs of a child's positives. False if memory ran out.
    cdef index_t at, i
    cdef int other
    cdef float* grown
    for at in range(n):
        i = found[at]
        if s.mixed[i] < 0:
            if (<offset_t>n_mixed[0] + 1) * LANES > s.costs_capacity:
                s.costs_capacity = 2 * s.costs_capacity + 64 * LANES
                grown = <float*>realloc(s.costs, s.costs_capacity * sizeof(float))
                if not grown:
                    return False
                s.costs = grown
            s.mixed[i] = n_mixed[0]
            n_mixed[0] += 1
            for other in range(s.lanes):
                s.costs[<offset_t>s.mixed[i] * s.lanes + other] = s.terms[i].cost
        s.costs[<offset_t>s.mixed[i] * s.lanes + lane] = max(
            positive_cost(costs, entry[at]) * s.share[i], LEAST_COST)
    return True


cdef bint start_lanes(const Cluster* c, Solution* s, const Costs* costs, const index_t[::1] rows,
                      const offset_t[::1] child_indptr, const index_t[::1] child_rows,
                      const index_t* children, int n_lanes) noexcept nogil:
    # Set the positive rows, their costs, the first duals and their weights. False if memory ran
    # out.
    cdef float[16] a, b                     # LANES of them
    cdef float both
    cdef index_t i, f, n, at, n_mixed = 0
    cdef offset_t e
    cdef int lane
    cdef float* w
    cdef Start start
    memset(s.positive, 0, c.n_rows * sizeof(uint16_t))
    if s.mixed:
        memset(s.mixed, 0xff, c.n_rows * sizeof(index_t))
    for lane in range(s.lanes):
        a[lane] = b[lane] = 0.0
        s.intercepts[lane] = 0.0
    for lane in range(n_lanes):
        n = find_rows(rows, child_rows, child_indptr[children[lane]],
                      child_indptr[children[lane] + 1], s.order, s.entry)
        start = uniform_duals(c, s, costs, n)
        a[lane] = start.a
        b[lane] = start.b
        s.intercepts[lane] = <float>(-start.b * s.total_share)
        for at in range(n):
            s.positive[s.order[at]] |= <uint16_t>(1 << lane)
            s.intercepts[lane] += (start.a + start.b) * s.share[s.order[at]]
        if s.mixed and not mix_costs(s, costs, s.order, s.entry, n, lane, &n_mixed):
            return False
    for f in range(c.n_shared):
        w = &s.weights[<offset_t>f * s.lanes]
        for lane in range(s.lanes):
            w[lane] = -b[lane] * s.total[f]
    for i in range(c.n_rows):
        w = &s.duals[<offset_t>i * s.lanes]
        for lane in range(s.lanes):
            w[lane] = b[lane] * s.share[i]
        if not s.positive[i]:
            continue
        for lane in range(n_lanes):
            if s.positive[i] >> lane & 1:
                w[lane] = a[lane] * s.share[i]
                both = (a[lane] + b[lane]) * s.share[i]
                for e in range(c.indptr[i], c.indptr[i + 1]):
                    s.weights[<offset_t>c.indices[e] * s.lanes + lane] += both * c.data[e]
    if costs.loss == LOGISTIC_LOSS:
        start_logits(c, s)
    return True


cdef void start_logits(const Cluster* c, Solution* s) noexcept nogil:
    # The logistic loss works on t in place of the dual a = cost / (1 + exp(-t)).
    cdef index_t i
    cdef int lane
    cdef float cost
    cdef const float* costs
    cdef float* w
    for i in range(c.n_rows):
        w = &s.duals[<offset_t>i * s.lanes]
        costs = costs_of(s, i)
        for lane in range(s.lanes):
            cost = costs[lane] if costs else s.terms[i].cost
            w[lane] = logf(w[lane] / (cost - w[lane])) if 0.0 < w[lane] < cost else 0.0


cdef void finish_lanes(const Cluster* c, Solution* s, const Costs* costs) noexcept nogil:
    # Leave duals in s.duals whatever the loss.
    cdef index_t i
    cdef int lane
    cdef const float* by_lane
    cdef float* w
    if costs.loss != LOGISTIC_LOSS:
        return
    for i in range(c.n_rows):
        w = &s.duals[<offset_t>i * s.lanes]
        by_lane = costs_of(s, i)
        for lane in range(s.lanes):
            w[lane] = (by_lane[lane] if by_lane else s.terms[i].cost) / (1 + expf(-w[lane]))
