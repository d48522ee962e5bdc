"""Nodes that are visited to score given labels of each row, from the root down."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import offsets_of


class LevelPaths(NamedTuple):
    """Nodes of one level that are visited to score given labels.

    Attributes
    ----------
    indptr : ndarray of shape (n_rows + 1,), int64
        Start of the parents of each row.
    parents : ndarray of int32
        Parents of the visited nodes.
    child_indptr : ndarray of shape (n_parents + 1,), int64
        Start of the visited children of each entry of `parents`.
    children : ndarray of int32
        Visited nodes: the parents of the next level.
    """

    indptr: np.ndarray
    parents: np.ndarray
    child_indptr: np.ndarray
    children: np.ndarray

    @property
    def wanted(self):
        """Children of each parent, as `LevelModel.score_children` expects them."""
        return self.child_indptr, self.children


class LabelPaths:
    """Find the paths to labels of a tree. Data that depend only on the tree are computed once.

    Parameters
    ----------
    hierarchy : LabelHierarchy
        The tree.
    """

    def __init__(self, hierarchy):
        self.parents_of = [
            np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))
            for indptr in hierarchy.child_indptrs
        ]
        self.position = np.empty(hierarchy.n_labels, dtype=np.int32)
        self.position[hierarchy.label_order] = np.arange(hierarchy.n_labels, dtype=np.int32)

    def find(self, indptr, labels):
        """Return the nodes on the paths to the labels of each row.

        Parameters
        ----------
        indptr : ndarray of shape (n_rows + 1,)
            Start of each row in `labels`.
        labels : ndarray of int
            Labels of each row, without duplicates.

        Returns
        -------
        paths : list of LevelPaths
            Visited nodes of each level. On the last level, the labels as positions in the tree,
            sorted within each row, so that labels of the same cluster are neighbors.
        order : ndarray of int
            Position of each visited label in `labels`.
        """
        nodes, order = self.sort_labels(indptr, labels)
        paths = []
        starts = indptr[:-1][np.diff(indptr) > 0]
        for parent_of in reversed(self.parents_of):
            parents = parent_of[nodes]
            is_first = np.ones(len(nodes), dtype=bool)  # of the children of its parent in the row
            is_first[1:] = parents[1:] != parents[:-1]
            is_first[starts] = True
            n_parents_before = offsets_of(is_first)
            indptr = n_parents_before[indptr]
            child_indptr = np.append(np.flatnonzero(is_first), len(nodes))
            paths.append(LevelPaths(indptr, parents[is_first], child_indptr, nodes))
            nodes = parents[is_first]
            starts = n_parents_before[starts]
        return paths[::-1], order

    def sort_labels(self, indptr, labels):
        """Return the positions in the tree of the labels of each row, sorted within each row.

        Parameters are those of `find`. Also returns the position of each of them in `labels`.
        """
        positions = self.position[labels]
        if len(indptr) == 2:  # a single row, in a fifth of the time
            order = np.argsort(positions)
            return positions[order], order
        by_position = sp.csr_array(
            (np.arange(len(labels)), positions, indptr),
            shape=(len(indptr) - 1, len(self.position)),
        )
        by_position.sort_indices()
        return by_position.indices.astype(np.int32, copy=False), by_position.data
