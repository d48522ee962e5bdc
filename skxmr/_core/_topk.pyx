"""Orders of a short list of (score, id), and a wrapper that lets Python test the bounded heap.

The heap itself is inline in ``_topk.pxd``, where the beam search pushes into it.
"""

import numpy as np

from skxmr._core.types cimport index_t


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


def topk(const float[::1] scores, const index_t[::1] ids, index_t k, bint best_first):
    """Return the ids and scores of the k best entries, best first or by rising id."""
    out_ids = np.empty(min(k, scores.shape[0]), dtype=np.int32)
    out_scores = np.empty(out_ids.shape[0], dtype=np.float32)
    if out_ids.shape[0] == 0:
        return out_ids, out_scores
    cdef index_t[::1] kept_ids = out_ids
    cdef float[::1] kept_scores = out_scores
    cdef index_t size = 0, at, capacity = <index_t>out_ids.shape[0]
    with nogil:
        for at in range(<index_t>scores.shape[0]):
            keep_best(&kept_scores[0], &kept_ids[0], &size, capacity, scores[at], ids[at])
        if best_first:
            sort_best_first(&kept_scores[0], &kept_ids[0], size)
        else:
            sort_by_id(&kept_scores[0], &kept_ids[0], size)
    return out_ids, out_scores
