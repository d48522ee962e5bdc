"""Chunks of an earlier training that are kept, because their training data have not changed."""

from typing import NamedTuple

import numpy as np

from skxmr._linear.level_model import LevelModel


class KeptChunks(NamedTuple):
    """Chunks of an earlier level that are used again.

    Attributes
    ----------
    level : LevelModel
        The earlier level.
    sources : ndarray of shape (n_parents,), int64
        Parent of the earlier level whose chunk each new parent keeps; -1 if it is trained.
    """

    level: LevelModel
    sources: np.ndarray

    @classmethod
    def find_equal(cls, level, fingerprints, n_children):
        """Keep the chunks with the fingerprints and the numbers of children of new parents."""
        earlier = level.arrays["fingerprints"]
        order = np.argsort(earlier)
        places = np.searchsorted(earlier, fingerprints, sorter=order)
        sources = order[np.minimum(places, len(order) - 1)]
        # A file from elsewhere may have any fingerprints, so the sizes are compared, too.
        is_equal = earlier[sources] == fingerprints
        is_equal &= np.diff(level.arrays["child_indptr"])[sources] == n_children
        return cls(level, np.where(is_equal, sources, -1))

    @property
    def is_trained(self):
        """Whether each new parent is trained."""
        return self.sources < 0

    def merge_fingerprints(self, fingerprints):
        """Return the fingerprints of the new level: those of the data it was really trained on."""
        return np.where(
            self.is_trained, fingerprints, self.level.arrays["fingerprints"][self.sources]
        )

    def is_whole_level(self, layout):
        """Return whether the new level, given as a `LevelLayout`, is the earlier one."""
        earlier = self.level.layout
        return np.array_equal(self.sources, np.arange(len(earlier.fingerprints))) and all(
            np.array_equal(mine, other) for mine, other in zip(earlier, layout, strict=True)
        )

    def in_block(self, block):
        """Return the kept chunks of a `Block` by their number in it."""
        sources = self.sources[block.start : block.stop]
        return {int(i): self.level.chunk(sources[i]) for i in np.flatnonzero(sources >= 0)}
