"""Split a set of rows into two groups of given sizes by balanced 2-means.

Source: Prabhu, Kag, Harsola, Agrawal, Varma (2018), "Parabel: Partitioned label trees for extreme
classification with application to dynamic search advertising", WWW, algorithm 3. This is one step
of the hierarchical clustering of labels.

Objective: find centers l and r and a partition into left and right rows of given sizes that
minimize the sum of the squared distances |z - center|^2. In spherical k-means, centers are unit
vectors; in k-means they are means.

Algorithm: compute z.(r - l) for each row z. The rows with the lowest values are the left group.
Compute the new centers; repeat. The order by z.(r - l) minimizes the objective, because the sizes
are fixed: the other terms of |z - r|^2 - |z - l|^2, the squared norms of the centers, are equal for
all rows. Both kinds of k-means therefore use the same order.

Stopping rule: no row changes its group, or `max_iter` rounds. Large sets are split on a sample of
the rows first, and then in FULL_ROUNDS rounds on all rows.

Only the sum R of the right rows is stored. With the sum T of all rows, l = (T - R) / left_norm and
r = R / right_norm, where the norms are |T - R| and |R|, or the numbers of rows for k-means. So

    z.(r - l) = z.R (1 / right_norm + 1 / left_norm) - z.T / left_norm.

The products z.T are computed once, the products z.R in each round. R is updated by the rows that
changed their group. All norms follow from T.T, from R.R = sum of z.R over the right rows, and from
T.R = sum of z.T over the right rows.
"""

from libc.math cimport sqrt
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from skxmr._core.interrupts cimport ROWS_PER_CHECK, check_interrupt
from skxmr._core.random cimport draw_below, make_random_state
from skxmr._core.training_rows cimport TrainingRows, dense_part, view_rows
from skxmr._core.types cimport index_t, offset_t, uint64_t

# Sets of more than twice SAMPLE_ROWS rows are split on a sample first. Rounds over all of 50,000
# labels are limited by memory bandwidth. With these numbers the tree took half the time, and
# precision@1, 3 and 5 changed less than between seeds.
cdef index_t SAMPLE_ROWS = 4096
cdef int FULL_ROUNDS = 2


ctypedef fused center_t:       # float for spherical k-means; see _kmeans.py
    float
    double


cdef struct Rows:
    TrainingRows matrix        # either sparse or dense
    index_t* all_columns       # 0, 1, ... if the matrix is dense, else NULL
    index_t* indices           # buffers of one row, if the matrix is dense
    float* data


cdef struct RowEntries:        # nonzero values of a row
    offset_t size
    const index_t* indices
    const float* data


cdef struct Workspace:
    double* scores             # (n) rows are ordered by these
    double* products_total     # (n) z.T
    double* products_right     # (n) z.R
    index_t* order             # (n) positions in `rows`, left group first
    signed char* is_right      # (n) 1 for rows of the right group
    double left_norm           # |T - R|, or the number of left rows for k-means
    double right_norm          # |R|, or the number of right rows for k-means


cdef RowEntries get_row(const Rows* z, index_t row) noexcept nogil:
    # A dense row without zeros is used in place. From others the zeros are removed, so that a dense
    # and a sparse matrix give the same sums. The result is valid until the next call.
    cdef const TrainingRows* matrix = &z.matrix
    cdef offset_t start = matrix.indptr[row]
    cdef const float* values
    cdef index_t f, n = 0, n_zeros = 0
    if not matrix.n_dense:
        return RowEntries(matrix.indptr[row + 1] - start, &matrix.indices[start],
                          &matrix.data[start])
    values = dense_part(matrix, row)
    for f in range(matrix.n_dense):
        n_zeros += values[f] == 0
    if n_zeros == 0:
        return RowEntries(matrix.n_dense, z.all_columns, values)
    for f in range(matrix.n_dense):
        if values[f] != 0:
            z.indices[n] = f
            z.data[n] = values[f]
            n += 1
    return RowEntries(n, z.indices, z.data)


cdef center_t dot(const Rows* z, index_t row, const center_t* center) noexcept nogil:
    # Four independent sums, because each addition to one sum waits for the previous addition.
    cdef RowEntries x = get_row(z, row)
    cdef offset_t e = 0
    cdef center_t a = 0.0, b = 0.0, c = 0.0, d = 0.0
    while e + 4 <= x.size:
        a += x.data[e] * center[x.indices[e]]
        b += x.data[e + 1] * center[x.indices[e + 1]]
        c += x.data[e + 2] * center[x.indices[e + 2]]
        d += x.data[e + 3] * center[x.indices[e + 3]]
        e += 4
    while e < x.size:
        a += x.data[e] * center[x.indices[e]]
        e += 1
    return (a + b) + (c + d)


cdef inline int check_interrupt_at(index_t i) except -1 nogil:
    return check_interrupt() if i % ROWS_PER_CHECK == ROWS_PER_CHECK - 1 else 0


cdef void add_row(const Rows* z, index_t row, center_t factor, center_t* center) noexcept nogil:
    cdef RowEntries x = get_row(z, row)
    cdef offset_t e
    for e in range(x.size):
        center[x.indices[e]] += factor * x.data[e]


cdef void clear_center(const Rows* z, const index_t* rows, index_t n,
                       center_t* center) noexcept nogil:
    # Set the features of the rows to 0, or all features if there are fewer of them.
    cdef const TrainingRows* matrix = &z.matrix
    cdef offset_t e, n_entries = matrix.n_dense
    cdef index_t i
    for i in range(n):
        n_entries += matrix.indptr[rows[i] + 1] - matrix.indptr[rows[i]]
    if n_entries >= matrix.n_columns:
        memset(center, 0, matrix.n_columns * sizeof(center_t))
        return
    for i in range(n):
        for e in range(matrix.indptr[rows[i]], matrix.indptr[rows[i] + 1]):
            center[matrix.indices[e]] = 0.0


cdef inline bint comes_before(const double* scores, index_t i, index_t j) noexcept nogil:
    # Ties are broken by position: with a total order, the split of equal scores is well defined.
    return scores[i] < scores[j] or (scores[i] == scores[j] and i < j)


cdef void partition_lowest(index_t* order, index_t n, index_t n_first,
                           const double* scores) noexcept nogil:
    # Reorder so that the n_first rows with the lowest scores come first: Hoare's quickselect with
    # the median of three as pivot.
    cdef index_t lo = 0, hi = n - 1, i, j, pivot, swapped
    while lo < hi:
        i = lo + (hi - lo) // 2
        if comes_before(scores, order[i], order[lo]):
            order[i], order[lo] = order[lo], order[i]
        if comes_before(scores, order[hi], order[lo]):
            order[hi], order[lo] = order[lo], order[hi]
        if comes_before(scores, order[hi], order[i]):
            order[hi], order[i] = order[i], order[hi]
        pivot = order[i]
        i = lo
        j = hi
        while i <= j:
            while comes_before(scores, order[i], pivot):
                i += 1
            while comes_before(scores, pivot, order[j]):
                j -= 1
            if i <= j:
                swapped = order[i]
                order[i] = order[j]
                order[j] = swapped
                i += 1
                j -= 1
        if n_first <= j:
            hi = j
        elif n_first >= i:
            lo = i
        else:
            break


cdef int run_rounds(const Rows* z, const index_t* rows, index_t n, index_t n_left, bint spherical,
                    int max_iter, center_t* center, Workspace* w) except -1 nogil:
    # Rounds of balanced 2-means, starting from the order by w.scores. Returns their number. The
    # center contains R.
    cdef index_t i, n_changed
    cdef int n_rounds = 0
    cdef double rr, tr, tt = 0.0       # R.R, T.R, T.T
    cdef signed char new_side
    for i in range(n):
        w.order[i] = i
        w.is_right[i] = 0
    while n_rounds < max_iter:
        n_rounds += 1
        partition_lowest(w.order, n, n_left, w.scores)
        # Mark rows that change their group by adding 2 to the new value.
        n_changed = 0
        for i in range(n):
            new_side = i >= n_left
            if w.is_right[w.order[i]] != new_side:
                w.is_right[w.order[i]] = 2 + new_side
                n_changed += 1
        if n_rounds == 1 and max_iter > 1:
            for i in range(n):
                check_interrupt_at(i)
                add_row(z, rows[i], 1.0, center)
            for i in range(n):
                check_interrupt_at(i)
                w.products_total[i] = dot(z, rows[i], center)
                tt += w.products_total[i]
            clear_center(z, rows, n, center)
        for i in range(n):
            check_interrupt_at(i)
            if w.is_right[i] >= 2:
                w.is_right[i] -= 2
                if max_iter > 1:
                    add_row(z, rows[i], 1.0 if w.is_right[i] else -1.0, center)
        if n_changed == 0 or n_rounds == max_iter:
            break
        rr = 0.0
        tr = 0.0
        for i in range(n):
            check_interrupt_at(i)
            w.products_right[i] = dot(z, rows[i], center)
            if w.is_right[i]:
                rr += w.products_right[i]
                tr += w.products_total[i]
        w.left_norm = n_left
        w.right_norm = n - n_left
        if spherical:
            # A group whose rows are zero, or cancel each other, has no direction.
            w.left_norm = sqrt(max(tt - 2.0 * tr + rr, 1e-30))
            w.right_norm = sqrt(max(rr, 1e-30))
        for i in range(n):
            w.scores[i] = (w.products_right[i] * (1.0 / w.right_norm + 1.0 / w.left_norm)
                           - w.products_total[i] / w.left_norm)
    clear_center(z, rows, n, center)
    return n_rounds


cdef void draw_centers(const Rows* z, const index_t* rows, index_t n, center_t* center,
                       Workspace* w, uint64_t* rng) noexcept nogil:
    # Use two random rows as the first centers, and compute w.scores.
    cdef index_t i, p = draw_below(rng, n), q = draw_below(rng, n - 1)
    q += q >= p
    add_row(z, rows[p], 1.0, center)
    add_row(z, rows[q], -1.0, center)
    for i in range(n):
        w.scores[i] = dot(z, rows[i], center)
    clear_center(z, &rows[p], 1, center)
    clear_center(z, &rows[q], 1, center)


cdef int split_rows(const Rows* z, const index_t* rows, index_t n, index_t n_left, bint spherical,
                    int max_iter, uint64_t* rng, index_t* sample, center_t* center,
                    Workspace* w) except -1 nogil:
    # Split into w.order[:n_left] (positions in `rows`) and the rest. Returns the number of rounds.
    cdef index_t i, n_sample = min(n, SAMPLE_ROWS)
    cdef int n_rounds
    if n <= 2 * SAMPLE_ROWS:
        draw_centers(z, rows, n, center, w, rng)
        return run_rounds(z, rows, n, n_left, spherical, max_iter, center, w)
    for i in range(n_sample):
        sample[i] = rows[<offset_t>i * n // n_sample]
    draw_centers(z, sample, n_sample, center, w, rng)
    n_rounds = run_rounds(z, sample, n_sample, <index_t>(<offset_t>n_sample * n_left // n),
                          spherical, max_iter, center, w)
    # Order all rows by z.(r - l) with the centers of the sample.
    for i in range(n_sample):
        add_row(z, sample[i],
                <center_t>(1.0 / w.right_norm if w.is_right[i] else -1.0 / w.left_norm), center)
    for i in range(n):
        check_interrupt_at(i)
        w.scores[i] = dot(z, rows[i], center)
    clear_center(z, sample, n_sample, center)
    return n_rounds + run_rounds(z, rows, n, n_left, spherical, FULL_ROUNDS, center, w)


def bisect(
    const offset_t[::1] indptr,   # IN (n_rows + 1) CSR arrays, without entries if Z is dense
    const index_t[::1] indices,   # IN
    const float[::1] data,        # IN
    const float[:, ::1] dense,    # IN (n_rows, n_features), or without columns
    index_t[::1] rows,            # INOUT rows to split; on return, the left group comes first
    index_t n_left,               # 0 < n_left < rows.size
    bint spherical,
    int max_iter,
    uint64_t seed,
    center_t[::1] center,         # INOUT (n_features) 0 on entry, and on return without error
):
    """Reorder `rows` so that the first `n_left` are one group, and return the number of rounds.

    Inside each group the order of the rows does not change.
    """
    cdef index_t n = <index_t>rows.shape[0], i, left = 0, right = n_left
    cdef int n_rounds
    cdef Rows z
    cdef Workspace w
    cdef uint64_t rng = make_random_state(seed)
    z.matrix = view_rows(indptr, indices, data, dense, <index_t>center.shape[0])
    cdef index_t n_dense = z.matrix.n_dense
    cdef double* doubles = <double*>malloc(3 * <size_t>n * sizeof(double))
    cdef index_t* integers = <index_t*>malloc(2 * <size_t>n * sizeof(index_t))
    cdef index_t* new_rows
    w.is_right = <signed char*>malloc(n)
    z.all_columns = <index_t*>malloc((n_dense + 1) * sizeof(index_t))
    z.indices = <index_t*>malloc((n_dense + 1) * sizeof(index_t))
    z.data = <float*>malloc((n_dense + 1) * sizeof(float))
    if not (doubles and integers and w.is_right and z.all_columns and z.indices and z.data):
        free(doubles)
        free(integers)
        free(w.is_right)
        free(z.all_columns)
        free(z.indices)
        free(z.data)
        raise MemoryError()
    for i in range(n_dense):
        z.all_columns[i] = i
    w.scores = doubles
    w.products_total = doubles + n
    w.products_right = doubles + 2 * <size_t>n
    w.order = integers
    new_rows = integers + n            # until then, the buffer of the sample
    w.left_norm = w.right_norm = 1.0
    try:
        with nogil:
            check_interrupt()
            n_rounds = split_rows(&z, &rows[0], n, n_left, spherical, max_iter, &rng, new_rows,
                                  &center[0], &w)
            for i in range(n):
                w.is_right[w.order[i]] = i >= n_left
            for i in range(n):
                if w.is_right[i]:
                    new_rows[right] = rows[i]
                    right += 1
                else:
                    new_rows[left] = rows[i]
                    left += 1
            for i in range(n):
                rows[i] = new_rows[i]
    finally:
        free(doubles)
        free(integers)
        free(w.is_right)
        free(z.all_columns)
        free(z.indices)
        free(z.data)
    return n_rounds
