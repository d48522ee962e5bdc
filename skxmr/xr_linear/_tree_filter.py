"""Labels that a search of a tree may return, as filters of all its levels."""

from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import entries_of_rows
from skxmr._linear import NodeFilter


class TreeFilter(NamedTuple):
    """Nodes of a tree that a search may visit: allowed labels, and the clusters above them.

    Attributes
    ----------
    levels : list of NodeFilter or None
        Filter of each level, from the root's children to the labels. None allows all nodes.
    """

    levels: list

    @classmethod
    def for_all_rows(cls, hierarchy, labels):
        """Return the filter that allows the same labels, at least one, in all rows.

        Parameters
        ----------
        hierarchy : LabelHierarchy
            The tree.
        labels : ndarray of int
            Labels.
        """
        is_label = np.zeros(hierarchy.n_labels, dtype=np.uint8)
        is_label[labels] = 1
        is_allowed = is_label[hierarchy.label_order]
        levels = []
        for child_indptr in reversed(hierarchy.child_indptrs):
            n_allowed = np.diff(np.append(0, np.cumsum(is_allowed, dtype=np.int64))[child_indptr])
            levels.append(NodeFilter(is_allowed, n_allowed.astype(np.int32)))
            is_allowed = (n_allowed > 0).astype(np.uint8)
        return cls(levels[::-1])

    @classmethod
    def for_rows(cls, finder, indptr, labels):
        """Return the filter that allows other labels in each row.

        Parameters
        ----------
        finder : LabelPaths
            Finder of the paths of the tree.
        indptr : ndarray of shape (n_rows + 1,), int64
            Start of each row in `labels`.
        labels : ndarray of int32
            Labels, without duplicates in a row.
        """
        paths, _ = finder.find(indptr, labels)
        starts = [path.child_indptr[path.indptr].astype(np.int64) for path in paths]
        return cls(
            [
                NodeFilter(indptr=start, children=path.children)
                for start, path in zip(starts, paths, strict=True)
            ]
        )

    def excluding(self, finder, indptr, labels):
        """Return the filter that also excludes labels of each row, which it allows itself.

        Parameters are those of `for_rows`. This filter must be for all rows. Clusters whose labels
        are all excluded are visited.
        """
        *clusters, last = self.levels
        excluded, _ = finder.sort_labels(indptr, labels)
        shared = (None, None) if last is None else (last.is_allowed, last.n_allowed)
        return TreeFilter([*clusters, NodeFilter(*shared, indptr.astype(np.int64), excluded, True)])

    @classmethod
    def of_all_labels(cls, hierarchy):
        """Return the filter that allows all labels."""
        return cls([None] * hierarchy.n_levels)

    def take(self, rows):
        """Return the filter of the rows with the given numbers, in this order."""
        return TreeFilter([_take_rows(level, rows) for level in self.levels])


def _take_rows(level, rows):
    if level is None or level.indptr is None:  # the same for all rows
        return level
    indptr, entries = entries_of_rows(level.indptr, rows)
    shared = level.is_allowed, level.n_allowed
    return NodeFilter(*shared, indptr, level.children[entries], level.excludes)
