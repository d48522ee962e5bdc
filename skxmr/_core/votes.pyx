"""Add up the votes that several rankings of the same rows give to ids."""

import numpy as np

from libc.stdlib cimport calloc, free, malloc

from skxmr._core.topk cimport keep_best, sort_best_first, sort_by_id
from skxmr._core.types cimport index_t, offset_t


cdef struct Ranking:
    # The arrays of a CSR matrix (row, id) -> vote.
    const offset_t* indptr
    const index_t* ids
    const float* votes


cdef offset_t count_ids(const Ranking* rankings, int n_rankings, offset_t row,
                        offset_t* last_row) noexcept nogil:
    # Ids of a row that any ranking names.
    cdef offset_t n = 0, e
    cdef int r
    for r in range(n_rankings):
        for e in range(rankings[r].indptr[row], rankings[r].indptr[row + 1]):
            n += last_row[rankings[r].ids[e]] != row + 1
            last_row[rankings[r].ids[e]] = row + 1
    return n


cdef void add_row(const Ranking* rankings, int n_rankings, offset_t row, float* sums,
                  index_t* named, index_t* ids, float* votes, index_t capacity,
                  bint best_first) noexcept nogil:
    # `sums` is 0 on entry and on return; votes are above 0.
    cdef index_t n = 0, at, size = 0
    cdef offset_t e
    cdef int r
    for r in range(n_rankings):
        for e in range(rankings[r].indptr[row], rankings[r].indptr[row + 1]):
            named[n] = rankings[r].ids[e]
            n += sums[named[n]] == 0.0
            sums[rankings[r].ids[e]] += rankings[r].votes[e]
    for at in range(n):
        keep_best(votes, ids, &size, capacity, sums[named[at]], named[at])
        sums[named[at]] = 0.0
    if best_first:
        sort_best_first(votes, ids, size)
    else:
        sort_by_id(votes, ids, size)


def add_votes(rankings, index_t n_ids, index_t keep, bint best_first):
    """Return (indptr, ids, sums of votes) of the best `keep` ids of each row, 0 for all of them.

    Rankings are (indptr, ids, votes): CSR arrays of the same rows, votes float32 above 0. An id
    that a ranking does not name has no vote of it. Rows rise by id, or stand best first.
    """
    cdef offset_t n_rows = len(rankings[0][0]) - 1, row, most = 0
    cdef int n_rankings = len(rankings), r
    cdef const offset_t[::1] indptr
    cdef const index_t[::1] ids
    cdef const float[::1] votes
    out_indptr = np.zeros(n_rows + 1, dtype=np.int64)
    cdef offset_t[::1] out = out_indptr
    cdef Ranking* given = <Ranking*>malloc(n_rankings * sizeof(Ranking))
    cdef float* sums = <float*>calloc(n_ids + 1, sizeof(float))
    cdef offset_t* last_row = <offset_t*>calloc(n_ids + 1, sizeof(offset_t))
    cdef index_t* named = NULL
    cdef index_t[::1] kept_ids
    cdef float[::1] kept_votes
    try:
        if not given or not sums or not last_row:
            raise MemoryError()
        for r in range(n_rankings):
            indptr, ids, votes = rankings[r]
            given[r].indptr = &indptr[0]
            given[r].ids = &ids[0] if ids.shape[0] else NULL
            given[r].votes = &votes[0] if votes.shape[0] else NULL
        with nogil:
            for row in range(n_rows):
                out[row + 1] = count_ids(given, n_rankings, row, last_row)
                most = max(most, out[row + 1])
                if keep > 0:
                    out[row + 1] = min(out[row + 1], <offset_t>keep)
                out[row + 1] += out[row]
        # One more than are named: the last place is written to and not counted.
        named = <index_t*>malloc((most + 1) * sizeof(index_t))
        if not named:
            raise MemoryError()
        out_ids = np.empty(out[n_rows] + 1, dtype=np.int32)
        out_votes = np.empty(out[n_rows] + 1, dtype=np.float32)
        kept_ids = out_ids
        kept_votes = out_votes
        with nogil:
            for row in range(n_rows):
                if out[row] < out[row + 1]:
                    add_row(given, n_rankings, row, sums, named, &kept_ids[out[row]],
                            &kept_votes[out[row]], <index_t>(out[row + 1] - out[row]), best_first)
    finally:
        free(given)
        free(sums)
        free(last_row)
        free(named)
    return out_indptr, out_ids[:out[n_rows]], out_votes[:out[n_rows]]
