"""Split a set of rows into two groups of given sizes by balanced 2-means.

One step of hierarchical clustering as used for label trees: Prabhu, Kag, Harsola, Agrawal, Varma
(2018), "Parabel", WWW, algorithm 3. With centres l and r (unit vectors for spherical k-means, means
for k-means) rows are ordered by z.(r - l) and cut so that each side gets its size; centres
follow; until no row changes sides, or after `max_iter` rounds. Balance makes the terms of
|z - r|^2 - |z - l|^2 that are equal for all rows, the squared norms of the centres, fall out of
the order, so both kinds of k-means share it. Wide splits run on a sample of the rows first, and
only their last rounds on all.

Only the sum R of the right side is kept in full. With T the sum of both sides, l and r are
(T - R) / nl and R / nr, so z.(r - l) = z.R (1 / nr + 1 / nl) - z.T / nl: the products z.T are
computed once, z.R once a round, R is corrected by the rows that changed sides, and all norms
follow from |R|^2 = sum over right of z.R and T.R = sum over right of z.T.
"""

from libc.math cimport sqrt
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from skxmr._core.random cimport random_below, random_state
from skxmr._core.types cimport index_t, offset_t, uint64_t

# Wide splits find their centres on a sample and finish with a few rounds over all rows. Rounds over
# all of 50,000 labels are bound by memory; with these numbers the tree took half the time, and
# precision@1, 3 and 5 stayed within what seeds differ by.
cdef index_t SAMPLE_ROWS = 4096
cdef int FULL_ROUNDS = 2


cdef struct Rows:
    const offset_t* indptr
    const index_t* indices
    const float* data
    offset_t n_features


cdef struct Work:
    float* centre              # (n_features) 0 between steps
    double* score              # (n) rows are ordered by it; and products of each row
    double* with_total         # (n) with the sum of both sides
    double* with_right         # (n) with the sum of the right side
    index_t* order             # (n) positions in rows, the left side first
    signed char* side          # (n) 1 for rows of the right side
    double nl                  # norm of the left sum, or its number of rows for plain k-means
    double nr                  # the same of the right


cdef float dot(const Rows* z, index_t row, const float* centre) noexcept nogil:
    # Four sums: one would wait for each addition before it starts the next.
    cdef offset_t e = z.indptr[row], stop = z.indptr[row + 1]
    cdef float a = 0.0, b = 0.0, c = 0.0, d = 0.0
    while e + 4 <= stop:
        a += z.data[e] * centre[z.indices[e]]
        b += z.data[e + 1] * centre[z.indices[e + 1]]
        c += z.data[e + 2] * centre[z.indices[e + 2]]
        d += z.data[e + 3] * centre[z.indices[e + 3]]
        e += 4
    while e < stop:
        a += z.data[e] * centre[z.indices[e]]
        e += 1
    return (a + b) + (c + d)


cdef void add(const Rows* z, index_t row, float factor, float* centre) noexcept nogil:
    cdef offset_t e
    for e in range(z.indptr[row], z.indptr[row + 1]):
        centre[z.indices[e]] += factor * z.data[e]


cdef void clear(const Rows* z, const index_t* rows, index_t n, float* centre) noexcept nogil:
    # Set to 0 what the rows may have touched, or everything where that is less.
    cdef offset_t e, n_entries = 0
    cdef index_t i
    for i in range(n):
        n_entries += z.indptr[rows[i] + 1] - z.indptr[rows[i]]
    if n_entries >= z.n_features:
        memset(centre, 0, z.n_features * sizeof(float))
        return
    for i in range(n):
        for e in range(z.indptr[rows[i]], z.indptr[rows[i] + 1]):
            centre[z.indices[e]] = 0.0


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


cdef int iterate(const Rows* z, const index_t* rows, index_t n, index_t n_left, bint spherical,
                 int max_iter, Work* w) noexcept nogil:
    # Rounds of balanced 2-means from the first w.score on. Returns their number.
    cdef index_t i, changed
    cdef int n_rounds = 0
    cdef double rr, tr, tt = 0.0
    cdef signed char to
    for i in range(n):
        w.order[i] = i
        w.side[i] = 0
    while n_rounds < max_iter:
        n_rounds += 1
        select(w.order, n, n_left, w.score)
        changed = 0
        for i in range(n):
            to = i >= n_left
            if w.side[w.order[i]] != to:
                w.side[w.order[i]] = 2 + to
                changed += 1
        if n_rounds == 1 and max_iter > 1:
            for i in range(n):
                add(z, rows[i], 1.0, w.centre)
            for i in range(n):
                w.with_total[i] = dot(z, rows[i], w.centre)
                tt += w.with_total[i]
            clear(z, rows, n, w.centre)
        for i in range(n):
            if w.side[i] >= 2:
                w.side[i] -= 2
                if max_iter > 1:
                    add(z, rows[i], 1.0 if w.side[i] else -1.0, w.centre)
        if changed == 0 or n_rounds == max_iter:
            break
        rr = 0.0
        tr = 0.0
        for i in range(n):
            w.with_right[i] = dot(z, rows[i], w.centre)
            if w.side[i]:
                rr += w.with_right[i]
                tr += w.with_total[i]
        w.nl = n_left
        w.nr = n - n_left
        if spherical:
            # A side whose rows are all 0, or cancel out, has no direction.
            w.nl = sqrt(max(tt - 2.0 * tr + rr, 1e-30))
            w.nr = sqrt(max(rr, 1e-30))
        for i in range(n):
            w.score[i] = w.with_right[i] * (1.0 / w.nr + 1.0 / w.nl) - w.with_total[i] / w.nl
    clear(z, rows, n, w.centre)
    return n_rounds


cdef void start(const Rows* z, const index_t* rows, index_t n, Work* w,
                uint64_t* rng) noexcept nogil:
    # The first centres are two rows drawn at random.
    cdef index_t i, p = random_below(rng, n), q = random_below(rng, n - 1)
    q += q >= p
    add(z, rows[p], 1.0, w.centre)
    add(z, rows[q], -1.0, w.centre)
    for i in range(n):
        w.score[i] = dot(z, rows[i], w.centre)
    clear(z, &rows[p], 1, w.centre)
    clear(z, &rows[q], 1, w.centre)


cdef int split(const Rows* z, const index_t* rows, index_t n, index_t n_left, bint spherical,
               int max_iter, uint64_t* rng, index_t* sample, Work* w) noexcept nogil:
    # On return the first n_left of w.order (positions in rows) form the left side.
    cdef index_t i, m = min(n, SAMPLE_ROWS)
    cdef int n_rounds
    if n <= 2 * SAMPLE_ROWS:
        start(z, rows, n, w, rng)
        return iterate(z, rows, n, n_left, spherical, max_iter, w)
    for i in range(m):
        sample[i] = rows[<offset_t>i * n // m]
    start(z, sample, m, w, rng)
    n_rounds = iterate(z, sample, m, <index_t>(<offset_t>m * n_left // n), spherical, max_iter, w)
    # All rows start from the sample's centres: right minus left, each of unit length or a mean.
    for i in range(m):
        add(z, sample[i], <float>(1.0 / w.nr if w.side[i] else -1.0 / w.nl), w.centre)
    for i in range(n):
        w.score[i] = dot(z, rows[i], w.centre)
    clear(z, sample, m, w.centre)
    return n_rounds + iterate(z, rows, n, n_left, spherical, FULL_ROUNDS, w)


def bisect(
    const offset_t[::1] indptr,   # IN (n_rows + 1)
    const index_t[::1] indices,   # IN
    const float[::1] data,        # IN
    index_t[::1] rows,            # INOUT rows to split: the left side first on return, rising
    index_t n_left,               # 0 < n_left < rows.size
    bint spherical,
    int max_iter,
    uint64_t seed,
    float[::1] centre,            # INOUT (n_features) 0 on entry and on return
):
    """Order `rows` so that the first `n_left` are one cluster; return the number of rounds."""
    cdef index_t n = <index_t>rows.shape[0], i, left = 0, right = n_left
    cdef int n_rounds
    cdef Rows z
    cdef Work w
    cdef uint64_t rng = random_state(seed)
    z.indptr = &indptr[0]
    z.indices = &indices[0]
    z.data = &data[0]
    z.n_features = centre.shape[0]
    cdef double* reals = <double*>malloc(3 * <size_t>n * sizeof(double))
    cdef index_t* whole = <index_t*>malloc(2 * <size_t>n * sizeof(index_t))
    w.side = <signed char*>malloc(n)
    if not reals or not whole or not w.side:
        free(reals)
        free(whole)
        free(w.side)
        raise MemoryError()
    w.centre = &centre[0]
    w.score = reals
    w.with_total = reals + n
    w.with_right = reals + 2 * <size_t>n
    w.order = whole
    w.nl = w.nr = 1.0
    with nogil:
        n_rounds = split(&z, &rows[0], n, n_left, spherical, max_iter, &rng, whole + n, &w)
        for i in range(n):
            w.side[w.order[i]] = i >= n_left
        for i in range(n):
            # Keep the order of `rows` inside each side.
            if w.side[i]:
                whole[n + right] = rows[i]
                right += 1
            else:
                whole[n + left] = rows[i]
                left += 1
        for i in range(n):
            rows[i] = whole[n + i]
        free(reals)
        free(whole)
        free(w.side)
    return n_rounds
