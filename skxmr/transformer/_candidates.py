"""Candidates of a training row: the nodes of a level that the row is compared with."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import offsets_of


class NodesPerRow(NamedTuple):
    """Some nodes of one level for each row, as a CSR pattern.

    Attributes
    ----------
    indptr : ndarray of shape (n_rows + 1,), int64
        Start of each row in `nodes`.
    nodes : ndarray of int32
        Nodes, increasing in each row.
    """

    indptr: np.ndarray
    nodes: np.ndarray


class CandidateBatch(NamedTuple):
    """Candidates of the rows of a batch, padded to the longest row.

    Attributes
    ----------
    nodes : ndarray of shape (n_rows, n_candidates), int64
        Nodes of the level; 0 for padding.
    is_candidate : ndarray of shape (n_rows, n_candidates), bool
        False for padding.
    is_positive : ndarray of shape (n_rows, n_candidates), float32
        1 for candidates that contain a label of the row, else 0.
    """

    nodes: np.ndarray
    is_candidate: np.ndarray
    is_positive: np.ndarray


class LevelCandidates:
    """Candidates of all rows on one level: the children of each row's nodes one level above.

    Parameters
    ----------
    parents : NodesPerRow
        Nodes of the level above.
    child_indptr : ndarray of int64
        Start of the children of each node of the level above.
    positives : csr_array of shape (n_rows, n_nodes)
        Pattern of the positive nodes of each row.
    """

    def __init__(self, parents, child_indptr, positives):
        self.parents = parents
        self.child_indptr = child_indptr
        self.positives = positives

    @property
    def has_all_nodes(self):
        """Whether every node of the level is a candidate of every row: the root's children."""
        return len(self.child_indptr) == 2

    def make_batch(self, rows):
        """Return the `CandidateBatch` of some rows."""
        parent_counts = np.diff(self.parents.indptr)[rows]
        parents = self.parents.nodes[_ranges(self.parents.indptr[rows], parent_counts)]
        child_counts = np.diff(self.child_indptr)[parents]
        children = _ranges(self.child_indptr[parents], child_counts)
        candidate_counts = np.diff(offsets_of(child_counts)[offsets_of(parent_counts)])
        width = candidate_counts.max(initial=1)
        is_candidate = np.arange(width) < candidate_counts[:, None]
        nodes = np.zeros(is_candidate.shape, dtype=np.int64)
        nodes[is_candidate] = children
        # A number for each pair of row and node, so that one search finds all positive pairs.
        n_nodes = int(self.child_indptr[-1])
        positives = self.positives[rows]
        row_numbers = np.arange(len(rows))
        positive_pairs = np.repeat(row_numbers, np.diff(positives.indptr)) * n_nodes
        positive_pairs += positives.indices
        pairs = nodes + row_numbers[:, None] * n_nodes
        is_positive = np.isin(pairs, positive_pairs) & is_candidate
        return CandidateBatch(nodes, is_candidate, is_positive.astype(np.float32))


def add_positive_nodes(beam, positives):
    """Add the positive nodes of each row to the nodes of the beam.

    So training uses both matcher-aware negatives (children of beam nodes) and teacher-forced ones
    (siblings of positive nodes).

    Parameters
    ----------
    beam : NodesPerRow
        Nodes that the beam search keeps.
    positives : csr_array of shape (n_rows, n_nodes)
        Pattern of the positive nodes.

    Returns
    -------
    NodesPerRow
    """
    ones = np.ones(len(beam.nodes), dtype=np.int8)
    in_beam = sp.csr_array((ones, beam.nodes, beam.indptr), shape=positives.shape)
    union = sp.csr_array(in_beam + sp.csr_array(positives, dtype=np.int8))
    union.sort_indices()
    return NodesPerRow(union.indptr.astype(np.int64), union.indices.astype(np.int32))


def _ranges(starts, counts):
    """Concatenate ``arange(start, start + count)`` of all pairs."""
    within = np.arange(counts.sum()) - np.repeat(offsets_of(counts)[:-1], counts)
    return np.repeat(starts, counts) + within
