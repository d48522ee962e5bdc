"""Sum the votes that several rankings of the same rows give to ids."""

import numpy as np

from libc.stdlib cimport calloc, free, malloc

from skxmr._core.topk cimport Entries, Entry, entries_from, set_entry, sort_entries
from skxmr._core.types cimport index_t, offset_t


cdef struct Ranking:
    # CSR arrays (row, id) -> vote, margin.
    const offset_t* indptr
    const index_t* ids
    const float* votes
    const float* margins


cdef struct Sums:
    float* votes               # (n_ids) 0 between rows
    float* margins             # (n_ids) 0 between rows
    index_t* row_ids           # ids of the present row


cdef offset_t count_ids(const Ranking* rankings, int n_rankings, offset_t row,
                        offset_t* last_row) noexcept nogil:
    # Count the ids of a row that any ranking has. last_row[id] is 1 + the last row with this id.
    cdef offset_t n = 0, e
    cdef int r
    for r in range(n_rankings):
        for e in range(rankings[r].indptr[row], rankings[r].indptr[row + 1]):
            n += last_row[rankings[r].ids[e]] != row + 1
            last_row[rankings[r].ids[e]] = row + 1
    return n


cdef void sum_row(const Ranking* rankings, int n_rankings, offset_t row, const Sums* sums,
                  const Entries* summed) noexcept nogil:
    # Sum the votes and the margins of one row, and write them sorted by id.
    cdef index_t n = 0, at, id
    cdef offset_t e
    cdef int r
    for r in range(n_rankings):
        for e in range(rankings[r].indptr[row], rankings[r].indptr[row + 1]):
            # Votes are positive, so a sum of 0 means that the id is new.
            id = rankings[r].ids[e]
            sums.row_ids[n] = id
            n += sums.votes[id] == 0.0
            sums.votes[id] += rankings[r].votes[e]
            sums.margins[id] += rankings[r].margins[e]
    for at in range(n):
        id = sums.row_ids[at]
        set_entry(summed, at, Entry(sums.votes[id], sums.margins[id], id))
        sums.votes[id] = 0.0
        sums.margins[id] = 0.0
    sort_entries(summed, n, False)


def add_votes(rankings, index_t n_ids):
    """Sum the votes per row and id.

    `rankings` are CSR arrays (indptr, ids, votes, margins) with the same rows; votes are positive
    float32. Returns CSR arrays (indptr, ids, summed votes, summed margins), sorted by id.
    """
    cdef offset_t n_rows = len(rankings[0][0]) - 1, row, max_ids = 0
    cdef int n_rankings = len(rankings), r
    cdef const offset_t[::1] indptr
    cdef const index_t[::1] ids
    cdef const float[::1] votes, margins
    out_indptr = np.zeros(n_rows + 1, dtype=np.int64)
    cdef offset_t[::1] out = out_indptr
    cdef Ranking* ranking_arrays = <Ranking*>malloc(n_rankings * sizeof(Ranking))
    cdef offset_t* last_row = <offset_t*>calloc(n_ids + 1, sizeof(offset_t))
    cdef Sums sums = Sums(<float*>calloc(n_ids + 1, sizeof(float)),
                          <float*>calloc(n_ids + 1, sizeof(float)), NULL)
    cdef Entries summed, summed_row
    cdef index_t[::1] summed_ids
    cdef float[::1] summed_votes, summed_margins
    try:
        if not ranking_arrays or not sums.votes or not sums.margins or not last_row:
            raise MemoryError()
        for r in range(n_rankings):
            indptr, ids, votes, margins = rankings[r]
            ranking_arrays[r].indptr = &indptr[0]
            ranking_arrays[r].ids = &ids[0] if ids.shape[0] else NULL
            ranking_arrays[r].votes = &votes[0] if votes.shape[0] else NULL
            ranking_arrays[r].margins = &margins[0] if margins.shape[0] else NULL
        with nogil:
            for row in range(n_rows):
                out[row + 1] = count_ids(ranking_arrays, n_rankings, row, last_row)
                max_ids = max(max_ids, out[row + 1])
                out[row + 1] += out[row]
        # One more, because sum_row writes an id before it knows that the id is new.
        sums.row_ids = <index_t*>malloc((max_ids + 1) * sizeof(index_t))
        if not sums.row_ids:
            raise MemoryError()
        out_ids = np.empty(out[n_rows] + 1, dtype=np.int32)
        out_votes = np.empty(out[n_rows] + 1, dtype=np.float32)
        out_margins = np.empty(out[n_rows] + 1, dtype=np.float32)
        summed_ids = out_ids
        summed_votes = out_votes
        summed_margins = out_margins
        summed = Entries(&summed_votes[0], &summed_margins[0], &summed_ids[0])
        with nogil:
            for row in range(n_rows):
                summed_row = entries_from(&summed, out[row])
                sum_row(ranking_arrays, n_rankings, row, &sums, &summed_row)
    finally:
        free(ranking_arrays)
        free(sums.votes)
        free(sums.margins)
        free(sums.row_ids)
        free(last_row)
    n = out[n_rows]
    return out_indptr, out_ids[:n], out_votes[:n], out_margins[:n]
