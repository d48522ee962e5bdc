"""Sum the votes that several rankings of the same rows give to ids.

The ids of a row are found in a small hash table with linear probing, which stays in the cache, and
whose size does not depend on the number of all ids.
"""

import numpy as np

from libc.stdlib cimport calloc, free, malloc

from skxmr._core.topk cimport Entries, Entry, entries_from, get_entry, keep_best, set_entry
from skxmr._core.types cimport index_t, offset_t, uint32_t

# Factor for votes that may still be among the best after their logarithms are rounded: to a
# multiple of 2**-21, and to float32.
cdef float ROUNDING_SLACK = 1.0 - 2e-5
# Multiplicative hashing with the golden ratio: Knuth, "The Art of Computer Programming", 6.4.
cdef uint32_t GOLDEN_RATIO = 2654435769


cdef struct Ranking:
    # CSR arrays (row, id) -> vote, margin.
    const offset_t* indptr
    const index_t* ids
    const float* votes
    const float* margins


cdef struct HashTable:
    index_t* positions         # 1 + position of the id in the row, or 0; 0 between rows
    index_t* slots             # slot of each id of the present row
    int n_bits                 # the table has 2**n_bits slots


cdef index_t sum_row(const Ranking* rankings, int n_rankings, offset_t row, HashTable* table,
                     const Entries* summed) noexcept nogil:
    # Sum the votes and the margins of one row in any order. Returns the number of ids.
    cdef index_t n = 0, at, id
    cdef uint32_t slot, mask = (<uint32_t>1 << table.n_bits) - 1
    cdef offset_t e
    cdef int r
    for r in range(n_rankings):
        for e in range(rankings[r].indptr[row], rankings[r].indptr[row + 1]):
            id = rankings[r].ids[e]
            slot = (<uint32_t>id * GOLDEN_RATIO) >> (32 - table.n_bits)
            at = table.positions[slot] - 1
            while at >= 0 and summed.ids[at] != id:
                slot = (slot + 1) & mask
                at = table.positions[slot] - 1
            if at >= 0:
                summed.scores[at] += rankings[r].votes[e]
                summed.margins[at] += rankings[r].margins[e]
            else:
                set_entry(summed, n, Entry(rankings[r].votes[e], rankings[r].margins[e], id))
                table.slots[n] = slot
                n += 1
                table.positions[slot] = n
    for at in range(n):
        table.positions[table.slots[at]] = 0
    return n


cdef index_t drop_lower_votes(const Entries* summed, index_t n, index_t k,
                              const Entries* heap) noexcept nogil:
    # Keep the ids of a row that can be among the k best. Returns their number.
    cdef index_t at, size = 0, n_kept = 0
    cdef float smallest
    for at in range(n):
        keep_best(heap, &size, k, Entry(summed.scores[at], 0.0, 0))
    smallest = heap.scores[0] * ROUNDING_SLACK
    for at in range(n):
        if summed.scores[at] >= smallest:
            set_entry(summed, n_kept, get_entry(summed, at))
            n_kept += 1
    return n_kept


def add_votes(rankings, index_t k):
    """Sum the votes per row and id.

    `rankings` are CSR arrays (indptr, ids, votes, margins) with the same rows; votes are positive
    float32. Returns CSR arrays (indptr, ids, summed votes, summed margins) of the ids that can be
    among the k best by rounded logarithm of the vote, or of all ids if k is 0. Rows are not sorted.
    """
    cdef offset_t n_rows = len(rankings[0][0]) - 1, row, n_entries = 0, max_ids = 0, n_ids
    cdef int n_rankings = len(rankings), r
    cdef index_t n
    cdef const offset_t[::1] indptr
    cdef const index_t[::1] ids
    cdef const float[::1] votes, margins
    cdef Ranking* ranking_arrays = <Ranking*>malloc(n_rankings * sizeof(Ranking))
    cdef HashTable table = HashTable(NULL, NULL, 1)
    cdef index_t[::1] summed_ids, heap_ids
    cdef float[::1] summed_votes, summed_margins, heap_votes
    cdef Entries summed, summed_row, heap
    out_indptr = np.zeros(n_rows + 1, dtype=np.int64)
    cdef offset_t[::1] out = out_indptr
    try:
        if not ranking_arrays:
            raise MemoryError()
        for r in range(n_rankings):
            indptr, ids, votes, margins = rankings[r]
            n_entries += ids.shape[0]
            ranking_arrays[r].indptr = &indptr[0]
            ranking_arrays[r].ids = &ids[0] if ids.shape[0] else NULL
            ranking_arrays[r].votes = &votes[0] if votes.shape[0] else NULL
            ranking_arrays[r].margins = &margins[0] if margins.shape[0] else NULL
        for row in range(n_rows):
            n_ids = 0
            for r in range(n_rankings):
                n_ids += ranking_arrays[r].indptr[row + 1] - ranking_arrays[r].indptr[row]
            max_ids = max(max_ids, n_ids)
        while (<offset_t>1 << table.n_bits) < 2 * max_ids:
            table.n_bits += 1
        table.positions = <index_t*>calloc(<size_t>1 << table.n_bits, sizeof(index_t))
        table.slots = <index_t*>malloc((<size_t>max_ids + 1) * sizeof(index_t))
        if not table.positions or not table.slots:
            raise MemoryError()
        # Pages that are never written do not use memory.
        out_ids = np.empty(n_entries + 1, dtype=np.int32)
        out_votes = np.empty(n_entries + 1, dtype=np.float32)
        out_margins = np.empty(n_entries + 1, dtype=np.float32)
        summed_ids, summed_votes, summed_margins = out_ids, out_votes, out_margins
        summed = Entries(&summed_votes[0], &summed_margins[0], &summed_ids[0])
        heap_ids = np.empty(min(k, max_ids) + 1, dtype=np.int32)
        heap_votes = np.empty(2 * (min(k, max_ids) + 1), dtype=np.float32)
        heap = Entries(&heap_votes[0], &heap_votes[min(k, max_ids) + 1], &heap_ids[0])
        with nogil:
            for row in range(n_rows):
                summed_row = entries_from(&summed, out[row])
                n = sum_row(ranking_arrays, n_rankings, row, &table, &summed_row)
                if 0 < k < n:
                    n = drop_lower_votes(&summed_row, n, k, &heap)
                out[row + 1] = out[row] + n
    finally:
        free(ranking_arrays)
        free(table.positions)
        free(table.slots)
    n_entries = out[n_rows]
    return out_indptr, out_ids[:n_entries], out_votes[:n_entries], out_margins[:n_entries]
