"""Weights of an earlier tree that the training of a changed tree keeps."""

from typing import NamedTuple

from skxmr._linear import KeptChunks
from skxmr.xr_linear._tree_model import TreeModel


class PreviousTree(NamedTuple):
    """An earlier model of a tree that has changed since.

    Attributes
    ----------
    model : TreeModel
        The model.
    unchanged_parents : list of ndarray or None
        For each level of clusters of the new tree, the parent in the earlier tree that has exactly
        these children, or -1. Its weights are kept, whatever the training data are. None keeps a
        chunk of any level only if its training data have not changed.
    """

    model: TreeModel
    unchanged_parents: list | None = None

    def keep(self, level, n_levels, fingerprints, n_children, weight_dtype):
        """Return the `KeptChunks` of a level of the new tree, or None.

        Parameters
        ----------
        level, n_levels : int
            Number of the level, and of all levels of the new tree.
        fingerprints : ndarray of uint64
            Fingerprints of the parents of this level.
        n_children : ndarray of int
            Their numbers of children.
        weight_dtype : str
            Stored dtype of the new weights.
        """
        # Trees grow at the root, so levels correspond to each other if counted from the labels.
        earlier = level + self.model.hierarchy.n_levels - n_levels
        if earlier < 0:
            return None
        earlier = self.model.levels[earlier]
        if earlier.arrays["entry_weights"].dtype != weight_dtype:
            return None
        if self.unchanged_parents is not None and level < n_levels - 1:
            return KeptChunks(earlier, self.unchanged_parents[level])
        return KeptChunks.find_equal(earlier, fingerprints, n_children)
