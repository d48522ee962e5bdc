"""Sum the votes that several rankings of the same rows give to ids."""

import numpy as np

from libc.stdlib cimport calloc, free, malloc

from skxmr._core.topk cimport keep_best, sort_best_first, sort_by_id
from skxmr._core.types cimport index_t, offset_t


cdef struct Ranking:
    # CSR arrays (row, id) -> vote.
    const offset_t* indptr
    const index_t* ids
    const float* votes


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


cdef void sum_row(const Ranking* rankings, int n_rankings, offset_t row, float* sums,
                  index_t* row_ids, index_t* ids, float* votes, index_t capacity,
                  bint best_first) noexcept nogil:
    # Sum the votes of one row, and write the best `capacity` ids and their sums. `sums` has one
    # number per id; it is 0 on entry and on return. `row_ids` is a buffer.
    cdef index_t n = 0, at, size = 0
    cdef offset_t e
    cdef int r
    for r in range(n_rankings):
        for e in range(rankings[r].indptr[row], rankings[r].indptr[row + 1]):
            # Votes are positive, so a sum of 0 means that the id is new.
            row_ids[n] = rankings[r].ids[e]
            n += sums[row_ids[n]] == 0.0
            sums[rankings[r].ids[e]] += rankings[r].votes[e]
    for at in range(n):
        keep_best(votes, ids, &size, capacity, sums[row_ids[at]], row_ids[at])
        sums[row_ids[at]] = 0.0
    if best_first:
        sort_best_first(votes, ids, size)
    else:
        sort_by_id(votes, ids, size)


def add_votes(rankings, index_t n_ids, index_t keep, bint best_first):
    """Sum the votes per row and id, and return the best `keep` ids per row, or all if it is 0.

    `rankings` are CSR arrays (indptr, ids, votes) with the same rows; votes are positive float32.
    Returns CSR arrays (indptr, ids, summed votes). Rows are sorted by decreasing sum if
    `best_first`, otherwise by increasing id.
    """
    cdef offset_t n_rows = len(rankings[0][0]) - 1, row, max_ids = 0
    cdef int n_rankings = len(rankings), r
    cdef const offset_t[::1] indptr
    cdef const index_t[::1] ids
    cdef const float[::1] votes
    out_indptr = np.zeros(n_rows + 1, dtype=np.int64)
    cdef offset_t[::1] out = out_indptr
    cdef Ranking* ranking_arrays = <Ranking*>malloc(n_rankings * sizeof(Ranking))
    cdef float* sums = <float*>calloc(n_ids + 1, sizeof(float))
    cdef offset_t* last_row = <offset_t*>calloc(n_ids + 1, sizeof(offset_t))
    cdef index_t* row_ids = NULL
    cdef index_t[::1] best_ids
    cdef float[::1] best_votes
    try:
        if not ranking_arrays or not sums or not last_row:
            raise MemoryError()
        for r in range(n_rankings):
            indptr, ids, votes = rankings[r]
            ranking_arrays[r].indptr = &indptr[0]
            ranking_arrays[r].ids = &ids[0] if ids.shape[0] else NULL
            ranking_arrays[r].votes = &votes[0] if votes.shape[0] else NULL
        with nogil:
            for row in range(n_rows):
                out[row + 1] = count_ids(ranking_arrays, n_rankings, row, last_row)
                max_ids = max(max_ids, out[row + 1])
                if keep > 0:
                    out[row + 1] = min(out[row + 1], <offset_t>keep)
                out[row + 1] += out[row]
        # One more, because sum_row writes an id before it knows that the id is new.
        row_ids = <index_t*>malloc((max_ids + 1) * sizeof(index_t))
        if not row_ids:
            raise MemoryError()
        out_ids = np.empty(out[n_rows] + 1, dtype=np.int32)
        out_votes = np.empty(out[n_rows] + 1, dtype=np.float32)
        best_ids = out_ids
        best_votes = out_votes
        with nogil:
            for row in range(n_rows):
                if out[row] < out[row + 1]:
                    sum_row(ranking_arrays, n_rankings, row, sums, row_ids, &best_ids[out[row]],
                            &best_votes[out[row]], <index_t>(out[row + 1] - out[row]), best_first)
    finally:
        free(ranking_arrays)
        free(sums)
        free(last_row)
        free(row_ids)
    return out_indptr, out_ids[:out[n_rows]], out_votes[:out[n_rows]]
