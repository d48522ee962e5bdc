"""Sort short lists of scored ids, and select the best entries per row of a CSR matrix.

The bounded heap is in topk.pxd, where kernels of other modules can inline it.
"""

import numpy as np

from skxmr._core.types cimport index_t, offset_t


cdef void sort_entries(const Entries* entries, index_t size, bint best_first) noexcept nogil:
    # Sort by the order of topk.pxd if `best_first`, otherwise by increasing id.
    if best_first:
        sort_best_first(entries, size)
    else:
        sort_by_id(entries, size)


cdef void sort_best_first(const Entries* entries, index_t size) noexcept nogil:
    # Heap sort: move the worst entry, which is the root, to the end.
    cdef index_t last
    cdef Entry worst
    heapify(entries, size)
    for last in range(size - 1, 0, -1):
        worst = get_entry(entries, 0)
        set_entry(entries, 0, get_entry(entries, last))
        set_entry(entries, last, worst)
        sift_down(entries, last, 0)


cdef void sort_by_id(const Entries* entries, index_t size) noexcept nogil:
    # Shell sort with Knuth's gaps: no recursion, no extra memory, and an insertion sort for the
    # few entries of a beam.
    cdef index_t gap = 1
    cdef index_t at, to
    cdef Entry entry
    while gap < size // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for at in range(gap, size):
            entry = get_entry(entries, at)
            to = at
            while to >= gap and entries.ids[to - gap] > entry.id:
                set_entry(entries, to, get_entry(entries, to - gap))
                to -= gap
            set_entry(entries, to, entry)
        gap //= 3


def best_of_rows(const offset_t[::1] indptr, const index_t[::1] ids, const float[::1] scores,
                 const float[::1] margins, index_t k, bint best_first):
    """Return the k best entries per row of a CSR matrix, or all entries if k is 0.

    `indptr` must start at 0. Returns CSR arrays (indptr, ids, scores, margins). Each row is sorted
    by falling score, equal scores by falling margin, then by increasing id, if `best_first`;
    otherwise by increasing id.
    """
    cdef offset_t n_rows = indptr.shape[0] - 1, row, at, n_entries
    out_indptr = np.zeros(n_rows + 1, dtype=np.int64)
    cdef offset_t[::1] out = out_indptr
    for row in range(n_rows):
        n_entries = indptr[row + 1] - indptr[row]
        out[row + 1] = out[row] + (min(n_entries, <offset_t>k) if k > 0 else n_entries)
    out_ids = np.empty(out[n_rows], dtype=np.int32)
    out_scores = np.empty(out[n_rows], dtype=np.float32)
    out_margins = np.empty(out[n_rows], dtype=np.float32)
    cdef index_t[::1] best_ids = out_ids
    cdef float[::1] best_scores = out_scores
    cdef float[::1] best_margins = out_margins
    cdef Entries best = Entries(&best_scores[0], &best_margins[0], &best_ids[0]), best_of_row
    cdef index_t size, capacity
    with nogil:
        for row in range(n_rows):
            size = 0
            capacity = <index_t>(out[row + 1] - out[row])
            best_of_row = entries_from(&best, out[row])
            for at in range(indptr[row], indptr[row + 1]):
                keep_best(&best_of_row, &size, capacity, Entry(scores[at], margins[at], ids[at]))
            sort_entries(&best_of_row, size, best_first)
    return out_indptr, out_ids, out_scores, out_margins
