"""Which clusters of a level a training row is compared with."""

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import offsets_of


class LevelCandidates:
    """The children of some nodes of each row, and which of them are right.

    Parameters
    ----------
    indptr : ndarray of shape (n_rows + 1,), int64
        Where each row's nodes start.
    parents : ndarray of int32
        Nodes of the level above, rising in each row.
    child_indptr : ndarray of int64
        Children of each node of the level above.
    positives : csr_array of shape (n_rows, n_nodes)
        Pattern of the nodes that are right for each row.
    """

    def __init__(self, indptr, parents, child_indptr, positives):
        self.indptr = indptr
        self.parents = parents
        self.child_indptr = child_indptr
        self.positives = positives

    @property
    def everything(self):
        """Whether every row has every node of the level: the root's children."""
        return len(self.child_indptr) == 2

    def batch(self, rows):
        """Return the candidates of some rows, padded to the most of any.

        Returns
        -------
        nodes : ndarray of shape (len(rows), n_candidates), int64
            Nodes of the level, 0 where `here` is not.
        here : ndarray of bool
            Whether there is a candidate.
        right : ndarray of float32
            1 for the candidates that are right for their row.
        """
        pair_counts = np.diff(self.indptr)[rows]
        pairs = _ranges(self.indptr[rows], pair_counts)
        parents = self.parents[pairs]
        counts = np.diff(self.child_indptr)[parents]
        children = _ranges(self.child_indptr[parents], counts)
        widths = np.diff(offsets_of(counts)[offsets_of(pair_counts)])
        here = np.arange(widths.max(initial=1)) < widths[:, None]
        nodes = np.zeros(here.shape, dtype=np.int64)
        nodes[here] = children
        # A key of row and node, rising: positives are looked up by it.
        n_nodes = int(self.child_indptr[-1])
        wanted = self.positives[rows]
        keys = np.repeat(np.arange(len(rows)), np.diff(wanted.indptr)) * n_nodes + wanted.indices
        right = np.isin(nodes + np.arange(len(rows))[:, None] * n_nodes, keys) & here
        return nodes, here, right.astype(np.float32)


def join_parents(beam, positives):
    """Join the nodes of the beam with those that are right: matcher aware and teacher forced.

    Parameters
    ----------
    beam : tuple
        (indptr, ids) of the nodes that the beam keeps of each row.
    positives : csr_array of shape (n_rows, n_nodes)
        Pattern of the nodes that are right.

    Returns
    -------
    indptr : ndarray of int64
        Where each row's nodes start.
    ids : ndarray of int32
        Nodes, rising in each row.
    """
    indptr, ids = beam
    found = sp.csr_array((np.ones(len(ids), dtype=np.int8), ids, indptr), shape=positives.shape)
    both = sp.csr_array(found + sp.csr_array(positives, dtype=np.int8))
    both.sort_indices()
    return both.indptr.astype(np.int64), both.indices.astype(np.int32)


def _ranges(starts, counts):
    within = np.arange(counts.sum()) - np.repeat(offsets_of(counts)[:-1], counts)
    return np.repeat(starts, counts) + within
