from skxmr._core.topk cimport Entries
from skxmr._core.types cimport index_t


cdef class SparseRow:
    cdef readonly object indices
    cdef readonly object data
    cdef const index_t[::1] index_view
    cdef const float[::1] value_view


cdef class RowScores:
    cdef Entries entries               # in one block of memory, which begins with the scores
    cdef readonly index_t size
    cdef readonly float max_dropped


cdef RowScores allocate_row_scores(index_t size)
