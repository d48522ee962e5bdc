"""Scores of the clusters or labels that a search has reached, row by row."""

from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import offsets_of


class NodeScores(NamedTuple):
    """A sparse matrix (row, node) of scores, as the arrays that kernels read and write.

    Attributes
    ----------
    indptr : ndarray of shape (n_rows + 1,), int64
        Start of each row in `ids` and `scores`.
    ids : ndarray of int32
        Nodes: clusters by their number in the level, or labels by their column in `y`.
    scores : ndarray of float32
        Score of each node.
    """

    indptr: np.ndarray
    ids: np.ndarray
    scores: np.ndarray

    @property
    def n_rows(self):
        """Number of rows."""
        return len(self.indptr) - 1

    def block(self, start, stop):
        """Return the rows from `start` to before `stop`."""
        first, last = self.indptr[start], self.indptr[stop]
        return NodeScores(
            self.indptr[start : stop + 1] - first, self.ids[first:last], self.scores[first:last]
        )

    @classmethod
    def root(cls, n_rows):
        """Return the start of a search: each row has reached the root, with the log score 0."""
        return cls(
            np.arange(n_rows + 1, dtype=np.int64),
            np.zeros(n_rows, dtype=np.int32),
            np.zeros(n_rows, dtype=np.float32),
        )


def join_rows(blocks):
    """Return the `NodeScores` of consecutive blocks of rows, given as (indptr, ids, scores)."""
    indptrs, ids, scores = zip(*blocks, strict=True)
    counts = np.concatenate([np.diff(indptr) for indptr in indptrs])
    return NodeScores(offsets_of(counts), np.concatenate(ids), np.concatenate(scores))
