"""Rows of each node of a level: its positive rows, or the rows that it is trained on."""

from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import offsets_of


class NodeRows(NamedTuple):
    """Lists of rows, one list per node.

    Attributes
    ----------
    indptr : ndarray of shape (n_nodes + 1,), int64
        Start of the list of each node in `rows`.
    rows : ndarray of int32
        Row numbers, sorted within each list.
    """

    indptr: np.ndarray
    rows: np.ndarray

    @classmethod
    def from_csc(cls, M):
        """Return the rows of the stored entries of each column of a CSC matrix."""
        return cls(M.indptr.astype(np.int64), M.indices.astype(np.int32, copy=False))

    @classmethod
    def root(cls, n_rows):
        """Return all rows, as the list of one node."""
        return cls(np.array([0, n_rows], dtype=np.int64), np.arange(n_rows, dtype=np.int32))

    def of(self, node):
        """Return the rows of one node."""
        return self.rows[self.indptr[node] : self.indptr[node + 1]]

    def without(self, is_removed):
        """Return the lists, empty for the nodes where the array `is_removed` is True."""
        counts = np.diff(self.indptr)
        kept = np.repeat(~is_removed, counts)
        return NodeRows(offsets_of(np.where(is_removed, 0, counts)), self.rows[kept])

    def slice(self, start, stop):
        """Return the lists of the nodes from `start` to before `stop`; shares memory."""
        first, last = self.indptr[start], self.indptr[stop]
        return NodeRows(self.indptr[start : stop + 1] - first, self.rows[first:last])
