"""Scores of the clusters or labels that a search has reached, row by row."""

from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import entries_of_rows, offsets_of


class NodeScores(NamedTuple):
    """A sparse matrix (row, node) of scores, as the arrays that kernels read and write.

    Attributes
    ----------
    indptr : ndarray of shape (n_rows + 1,), int64
        Start of each row in the other arrays.
    ids : ndarray of int32
        Nodes: clusters by their number in the level, or labels by their column in `y`.
    scores : ndarray of float32
        Score of each node.
    margins : ndarray of float32
        Sum of the margins on the path to each node. The larger one is better if scores are equal.
    """

    indptr: np.ndarray
    ids: np.ndarray
    scores: np.ndarray
    margins: np.ndarray

    @property
    def n_rows(self):
        """Number of rows."""
        return len(self.indptr) - 1

    def block(self, start, stop):
        """Return the rows from `start` to before `stop`."""
        indptr, *arrays = self
        first, last = indptr[start], indptr[stop]
        return NodeScores(
            indptr[start : stop + 1] - first, *(array[first:last] for array in arrays)
        )

    def take(self, rows):
        """Return the rows with the given numbers, in this order; copies them."""
        indptr, entries = entries_of_rows(self.indptr, rows)
        return NodeScores(indptr, *(array[entries] for array in self[1:]))

    def without(self, others):
        """Return the entries whose node is not in the same row of `others`."""
        keys, other_keys = (
            np.repeat(np.arange(nodes.n_rows) << 32, np.diff(nodes.indptr)) | nodes.ids
            for nodes in (self, others)
        )
        is_kept = ~np.isin(keys, other_keys)
        indptr = offsets_of(is_kept)[self.indptr]
        return NodeScores(indptr, *(array[is_kept] for array in self[1:]))

    def join(self, other):
        """Return the entries of both, row by row; those of `other` come last in each row."""
        n_rows = self.n_rows
        both = NodeScores(*join_rows([self, other]))
        order = np.arange(2 * n_rows).reshape(2, n_rows).T.ravel()
        rows = both.take(order)
        return rows._replace(indptr=rows.indptr[::2].copy())

    @classmethod
    def of_row(cls, row):
        """Return the scores of a single row, given as `RowScores`."""
        ids = row.ids
        return cls(np.array([0, len(ids)], dtype=np.int64), ids, row.scores, row.margins)

    @classmethod
    def root(cls, n_rows):
        """Return the start of a search: each row has reached the root, with the log score 0."""
        return cls(
            np.arange(n_rows + 1, dtype=np.int64),
            np.zeros(n_rows, dtype=np.int32),
            np.zeros(n_rows, dtype=np.float32),
            np.zeros(n_rows, dtype=np.float32),
        )


def join_rows(blocks):
    """Join CSR arrays of consecutive blocks of rows.

    Parameters
    ----------
    blocks : list of tuple of ndarray
        (indptr, ids, ...) of each block: the start of each row, and any number of arrays.

    Returns
    -------
    tuple of ndarray
        The same arrays of all rows.
    """
    indptrs, *arrays = zip(*blocks, strict=True)
    counts = np.concatenate([np.diff(indptr) for indptr in indptrs])
    return offsets_of(counts), *map(np.concatenate, arrays)
