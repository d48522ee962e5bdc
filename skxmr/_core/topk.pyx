"""Sort short lists of (score, id) pairs, and select the best entries per row of a CSR matrix.

The bounded heap is in topk.pxd, where kernels of other modules can inline it.
"""

import numpy as np

from skxmr._core.types cimport index_t, offset_t


cdef void sort_best_first(float* scores, index_t* ids, index_t size) noexcept nogil:
    # Heap sort: move the worst pair, which is the root, to the end.
    cdef index_t last
    cdef float score
    cdef index_t id
    heapify(scores, ids, size)
    for last in range(size - 1, 0, -1):
        score = scores[0]
        id = ids[0]
        scores[0] = scores[last]
        ids[0] = ids[last]
        scores[last] = score
        ids[last] = id
        sift_down(scores, ids, last, 0)


cdef void sort_by_id(float* scores, index_t* ids, index_t size) noexcept nogil:
    # Shell sort with Knuth's gaps: no recursion, no extra memory, and an insertion sort for the
    # few pairs of a beam.
    cdef index_t gap = 1
    cdef index_t at, to, id
    cdef float score
    while gap < size // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for at in range(gap, size):
            score = scores[at]
            id = ids[at]
            to = at
            while to >= gap and ids[to - gap] > id:
                scores[to] = scores[to - gap]
                ids[to] = ids[to - gap]
                to -= gap
            scores[to] = score
            ids[to] = id
        gap //= 3


def best_of_rows(const offset_t[::1] indptr, const index_t[::1] ids, const float[::1] scores,
                 index_t k, bint best_first):
    """Return the k best entries per row of a CSR matrix, or all entries if k is 0.

    `indptr` must start at 0. Returns CSR arrays (indptr, ids, scores). Each row is sorted by
    decreasing score, equal scores by increasing id, if `best_first`; otherwise by increasing id.
    """
    cdef offset_t n_rows = indptr.shape[0] - 1, row, at, n_entries
    out_indptr = np.zeros(n_rows + 1, dtype=np.int64)
    cdef offset_t[::1] out = out_indptr
    for row in range(n_rows):
        n_entries = indptr[row + 1] - indptr[row]
        out[row + 1] = out[row] + (min(n_entries, <offset_t>k) if k > 0 else n_entries)
    out_ids = np.empty(out[n_rows], dtype=np.int32)
    out_scores = np.empty(out[n_rows], dtype=np.float32)
    cdef index_t[::1] best_ids = out_ids
    cdef float[::1] best_scores = out_scores
    cdef index_t size, capacity
    with nogil:
        for row in range(n_rows):
            size = 0
            capacity = <index_t>(out[row + 1] - out[row])
            for at in range(indptr[row], indptr[row + 1]):
                keep_best(&best_scores[out[row]], &best_ids[out[row]], &size, capacity,
                          scores[at], ids[at])
            if best_first:
                sort_best_first(&best_scores[out[row]], &best_ids[out[row]], size)
            else:
                sort_by_id(&best_scores[out[row]], &best_ids[out[row]], size)
    return out_indptr, out_ids, out_scores
