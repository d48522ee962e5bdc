"""Orders of a short list of (score, id), and the best entries of the rows of a CSR matrix.

The bounded heap itself is inline in ``_topk.pxd``, where the beam search pushes into it.
"""

import numpy as np

from skxmr._core.types cimport index_t, offset_t


cdef void sort_best_first(float* scores, index_t* ids, index_t size) noexcept nogil:
    # Heap sort: the worst is on top and goes to the end.
    cdef index_t last
    cdef float s
    cdef index_t i
    heapify(scores, ids, size)
    for last in range(size - 1, 0, -1):
        s = scores[0]
        i = ids[0]
        scores[0] = scores[last]
        ids[0] = ids[last]
        scores[last] = s
        ids[last] = i
        sift_down(scores, ids, last, 0)


cdef void sort_by_id(float* scores, index_t* ids, index_t size) noexcept nogil:
    # Shell sort with Knuth's gaps: no recursion and no scratch, an insertion sort for a beam.
    cdef index_t gap = 1
    cdef index_t at, back, i
    cdef float s
    while gap < size // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for at in range(gap, size):
            s = scores[at]
            i = ids[at]
            back = at
            while back >= gap and ids[back - gap] > i:
                scores[back] = scores[back - gap]
                ids[back] = ids[back - gap]
                back -= gap
            scores[back] = s
            ids[back] = i
        gap //= 3


def best_of_rows(const offset_t[::1] indptr, const index_t[::1] ids, const float[::1] scores,
                 index_t k, bint best_first):
    """Keep the k best entries of each row of a CSR matrix, 0 for all; indptr starts at 0.

    The result is (indptr, ids, scores) with rows in the order of falling score, equal ones by
    rising id, or in the order of rising id.
    """
    cdef offset_t n_rows = indptr.shape[0] - 1, row, at
    out_indptr = np.zeros(n_rows + 1, dtype=np.int64)
    cdef offset_t[::1] out = out_indptr
    for row in range(n_rows):
        at = indptr[row + 1] - indptr[row]
        out[row + 1] = out[row] + (min(at, <offset_t>k) if k > 0 else at)
    out_ids = np.empty(out[n_rows], dtype=np.int32)
    out_scores = np.empty(out[n_rows], dtype=np.float32)
    cdef index_t[::1] kept_ids = out_ids
    cdef float[::1] kept_scores = out_scores
    cdef index_t size, capacity
    with nogil:
        for row in range(n_rows):
            size = 0
            capacity = <index_t>(out[row + 1] - out[row])
            for at in range(indptr[row], indptr[row + 1]):
                keep_best(&kept_scores[out[row]], &kept_ids[out[row]], &size, capacity,
                          scores[at], ids[at])
            if best_first:
                sort_best_first(&kept_scores[out[row]], &kept_ids[out[row]], size)
            else:
                sort_by_id(&kept_scores[out[row]], &kept_ids[out[row]], size)
    return out_indptr, out_ids, out_scores
