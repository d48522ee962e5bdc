"""Split a set of rows into two groups of given sizes by balanced 2-means.

One step of hierarchical clustering as used for label trees: Prabhu, Kag, Harsola, Agrawal, Varma
(2018), "Parabel", WWW, algorithm 3. With centres l and r (unit vectors for spherical k-means, means
for k-means) rows are ordered by z.(r - l) and cut so that each side gets its size; centres
follow; until no row changes sides, or after `max_iter` rounds. Balance makes the terms of
|z - r|^2 - |z - l|^2 that are equal for all rows, the squared norms of the centres, fall out of
the order, so both kinds of k-means share it.

Only the sum R of the right side is kept in full. With T the sum of both sides, l and r are
(T - R) / nl and R / nr, so z.(r - l) = z.R (1 / nr + 1 / nl) - z.T / nl: the products z.T are
computed once, z.R once a round, R is corrected by the rows that changed sides, and all norms
follow from |R|^2 = sum over right of z.R and T.R = sum over right of z.T.
"""

from libc.math cimport sqrt
from libc.stdlib cimport free, malloc

from skxmr._core._random cimport random_below, random_state
from skxmr._core.types cimport index_t, offset_t, uint64_t


cdef struct Rows:
    # CSR, or dense where indices is NULL; a dense row is read as a sparse one that stores all.
    const offset_t* indptr
    const index_t* indices
    const float* data
    offset_t n_features


cdef inline offset_t row_start(const Rows* z, index_t row) noexcept nogil:
    return z.indptr[row] if z.indices != NULL else row * z.n_features


cdef double dot(const Rows* z, index_t row, const float* centre) noexcept nogil:
    cdef offset_t start = row_start(z, row), stop = row_start(z, row + 1), e
    cdef double total = 0.0
    if z.indices != NULL:
        for e in range(start, stop):
            total += z.data[e] * centre[z.indices[e]]
    else:
        for e in range(start, stop):
            total += z.data[e] * centre[e - start]
    return total


cdef void add(const Rows* z, index_t row, float factor, float* centre) noexcept nogil:
    cdef offset_t start = row_start(z, row), stop = row_start(z, row + 1), e
    if z.indices != NULL:
        for e in range(start, stop):
            centre[z.indices[e]] += factor * z.data[e]
    else:
        for e in range(start, stop):
            centre[e - start] += factor * z.data[e]


cdef void clear(const Rows* z, index_t row, float* centre) noexcept nogil:
    cdef offset_t start = row_start(z, row), stop = row_start(z, row + 1), e
    if z.indices != NULL:
        for e in range(start, stop):
            centre[z.indices[e]] = 0.0
    else:
        for e in range(start, stop):
            centre[e - start] = 0.0


cdef inline bint comes_before(const double* score, index_t i, index_t j) noexcept nogil:
    # A total order: without the second key equal scores would be cut by accident.
    return score[i] < score[j] or (score[i] == score[j] and i < j)


cdef void select(index_t* order, index_t n, index_t n_first, const double* score) noexcept nogil:
    # Hoare's quickselect with the median of three: the n_first lowest come first.
    cdef index_t lo = 0, hi = n - 1, i, j, pivot, held
    while lo < hi:
        i = lo + (hi - lo) // 2
        if comes_before(score, order[i], order[lo]):
            order[i], order[lo] = order[lo], order[i]
        if comes_before(score, order[hi], order[lo]):
            order[hi], order[lo] = order[lo], order[hi]
        if comes_before(score, order[hi], order[i]):
            order[hi], order[i] = order[i], order[hi]
        pivot = order[i]
        i = lo
        j = hi
        while i <= j:
            while comes_before(score, order[i], pivot):
                i += 1
            while comes_before(score, pivot, order[j]):
                j -= 1
            if i <= j:
                held = order[i]
                order[i] = order[j]
                order[j] = held
                i += 1
                j -= 1
        if n_first <= j:
            hi = j
        elif n_first >= i:
            lo = i
        else:
            break


cdef int split(const Rows* z, const index_t* rows, index_t n, index_t n_left, bint spherical,
               int max_iter, uint64_t* rng, float* centre, double* score, double* with_total,
               double* with_right, index_t* order, signed char* side) noexcept nogil:
    # On return the first n_left of `order` (positions in rows) form the left side. `centre` holds
    # 0 for every feature on entry and on return. Returns the number of rounds.
    cdef index_t i, p, q, changed
    cdef int n_rounds = 0
    cdef double rr, tr, tt = 0.0, nl, nr
    cdef signed char to
    for i in range(n):
        add(z, rows[i], 1.0, centre)
    for i in range(n):
        with_total[i] = dot(z, rows[i], centre)
        tt += with_total[i]
    for i in range(n):
        clear(z, rows[i], centre)
        order[i] = i
        side[i] = 0
    # The first centres are two rows drawn at random.
    p = random_below(rng, n)
    q = random_below(rng, n - 1)
    q += q >= p
    add(z, rows[p], 1.0, centre)
    add(z, rows[q], -1.0, centre)
    for i in range(n):
        score[i] = dot(z, rows[i], centre)
    clear(z, rows[p], centre)
    clear(z, rows[q], centre)
    while n_rounds < max_iter:
        n_rounds += 1
        select(order, n, n_left, score)
        changed = 0
        for i in range(n):
            to = i >= n_left
            if side[order[i]] != to:
                add(z, rows[order[i]], 1.0 if to else -1.0, centre)
                side[order[i]] = to
                changed += 1
        if changed == 0:
            break
        rr = 0.0
        tr = 0.0
        for i in range(n):
            with_right[i] = dot(z, rows[i], centre)
            if side[i]:
                rr += with_right[i]
                tr += with_total[i]
        nl = n_left
        nr = n - n_left
        if spherical:
            # A side whose rows are all 0, or cancel out, has no direction.
            nl = sqrt(max(tt - 2.0 * tr + rr, 1e-30))
            nr = sqrt(max(rr, 1e-30))
        for i in range(n):
            score[i] = with_right[i] * (1.0 / nr + 1.0 / nl) - with_total[i] / nl
    for i in range(n):
        clear(z, rows[i], centre)
    return n_rounds


def bisect(
    const offset_t[::1] indptr,   # IN (n_rows + 1), or None for dense data
    const index_t[::1] indices,   # IN, or None for dense data
    const float[::1] data,        # IN; dense data row after row
    index_t[::1] rows,            # INOUT rows to split: the left side first on return, rising
    index_t n_left,               # 0 < n_left < rows.size
    bint spherical,
    int max_iter,
    uint64_t seed,
    float[::1] centre,            # INOUT (n_features) 0 on entry and on return
):
    """Order `rows` so that the first `n_left` are one cluster; return the number of rounds."""
    cdef index_t n = <index_t>rows.shape[0], i
    cdef Rows z
    cdef uint64_t rng = random_state(seed)
    z.indptr = &indptr[0] if indptr is not None else NULL
    z.indices = &indices[0] if indices is not None else NULL
    z.data = &data[0]
    z.n_features = centre.shape[0]
    cdef double* reals = <double*>malloc(3 * n * sizeof(double))
    cdef index_t* order = <index_t*>malloc(2 * n * sizeof(index_t))
    cdef signed char* side = <signed char*>malloc(n)
    cdef index_t left = 0, right = n_left
    cdef int n_rounds
    if not reals or not order or not side:
        free(reals)
        free(order)
        free(side)
        raise MemoryError()
    with nogil:
        n_rounds = split(&z, &rows[0], n, n_left, spherical, max_iter, &rng, &centre[0],
                         reals, reals + n, reals + 2 * n, order, side)
        for i in range(n):
            side[order[i]] = i >= n_left
        for i in range(n):
            # Keep the order of `rows` inside each side.
            if side[i]:
                order[n + right] = rows[i]
                right += 1
            else:
                order[n + left] = rows[i]
                left += 1
        for i in range(n):
            rows[i] = order[n + i]
        free(reals)
        free(order)
        free(side)
    return n_rounds
