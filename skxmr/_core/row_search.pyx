"""A single row, and the nodes that its search has reached, without the cost of numpy arrays.

The search of a single row takes tens of microseconds, and a level reads and writes several short
arrays. Numpy needs a microsecond to create an array and to give a kernel access to it.
"""

import numpy as np

from libc.math cimport INFINITY
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy


cdef class SparseRow:
    """Values of a row.

    Parameters
    ----------
    indices : ndarray of int32
        Features, sorted.
    data : ndarray of float32
        Their values.
    """

    def __init__(self, indices, data):
        self.indices = indices
        self.data = data
        self.index_view = indices
        self.value_view = data


cdef class RowScores:
    """Scores of the nodes of one level for one row; attributes as of `NodeScores`.

    Not changed after a search has returned it.

    Attributes
    ----------
    size : int
        Number of nodes.
    max_dropped : float
        No node that the search has dropped on an earlier level has a higher score.
    """

    def __dealloc__(self):
        free(self.entries.scores)

    @staticmethod
    def root():
        """Return the start of a search: the root, with the log score 0."""
        cdef RowScores root = allocate_row_scores(1)
        root.entries.ids[0] = 0
        root.entries.scores[0] = 0.0
        root.entries.margins[0] = 0.0
        return root

    @staticmethod
    def from_arrays(const index_t[::1] ids, const float[::1] scores, const float[::1] margins):
        """Return the scores of nodes, given as arrays of equal length."""
        cdef index_t size = <index_t>min(ids.shape[0], scores.shape[0], margins.shape[0])
        cdef RowScores row = allocate_row_scores(size)
        if size > 0:
            memcpy(row.entries.ids, &ids[0], size * sizeof(index_t))
            memcpy(row.entries.scores, &scores[0], size * sizeof(float))
            memcpy(row.entries.margins, &margins[0], size * sizeof(float))
        return row

    @property
    def last_score(self):
        """Score of the last node; -inf if there is none."""
        return self.entries.scores[self.size - 1] if self.size > 0 else -INFINITY

    @property
    def ids(self):
        """Nodes, ndarray of int32."""
        ids = np.empty(self.size, dtype=np.int32)
        cdef index_t[::1] view = ids
        if self.size > 0:
            memcpy(&view[0], self.entries.ids, self.size * sizeof(index_t))
        return ids

    @property
    def scores(self):
        """Scores, ndarray of float32."""
        return copy_floats(self.entries.scores, self.size)

    @property
    def margins(self):
        """Sums of the margins on the paths, ndarray of float32."""
        return copy_floats(self.entries.margins, self.size)


cdef copy_floats(const float* values, index_t size):
    copied = np.empty(size, dtype=np.float32)
    cdef float[::1] view = copied
    if size > 0:
        memcpy(&view[0], values, size * sizeof(float))
    return copied


cdef RowScores allocate_row_scores(index_t size):
    """Return the uninitialized scores of `size` nodes."""
    cdef RowScores row = RowScores.__new__(RowScores)
    # One more, because kernels read the first entry of an empty row, too.
    cdef float* block = <float*>malloc(<size_t>(size + 1) * (2 * sizeof(float) + sizeof(index_t)))
    if block == NULL:
        raise MemoryError()
    row.entries = Entries(block, block + size + 1, <index_t*>(block + 2 * (<size_t>size + 1)))
    row.size = size
    row.max_dropped = -INFINITY
    return row
