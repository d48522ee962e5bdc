"""Read the weights of single children out of a level model, to explain what it says."""

from typing import NamedTuple

import numpy as np

from skxmr._linear.feature_sets import unpack_features
from skxmr._linear.weight_precision import dequantize

# The intercept of a model that was never trained; see dual_solver.pyx.
UNTRAINED_INTERCEPT = np.float32(-1000.0)


class ChunkWeights(NamedTuple):
    """The linear models of the children of one parent, as entries.

    Attributes
    ----------
    features : ndarray of int32
        Feature of each entry, rising.
    children : ndarray of int64
        Child of each entry, counted inside the chunk.
    weights : ndarray of float64
        Weight of each entry.
    intercepts : ndarray of shape (n_children,), float64
        Intercept of each child.
    """

    features: np.ndarray
    children: np.ndarray
    weights: np.ndarray
    intercepts: np.ndarray

    def of_child(self, child):
        """Return (features, weights, intercept) of one child, counted inside the chunk."""
        own = self.children == child
        return self.features[own], self.weights[own], float(self.intercepts[child])


class LevelWeights:
    """The weights of a level, chunk by chunk.

    Parameters
    ----------
    level : LevelModel
        Left as it is.
    """

    def __init__(self, level):
        self.level = level

        self._starts = [
            level.tables[name] for name in ("word_indptr", "feature_indptr", "entry_indptr")
        ]

    def of_chunk(self, parent):
        """Return the `ChunkWeights` of the children of a parent."""
        a = self.level.arrays
        words, features, entries = (slice(*start[parent : parent + 2]) for start in self._starts)
        known = unpack_features(a["summaries"][parent], a["words"][words])
        scale = a["weight_scales"][parent] if "weight_scales" in a else 1.0
        return ChunkWeights(
            np.repeat(known, a["entry_counts"][features]),
            a["entry_children"][entries].astype(np.int64),
            dequantize(a["entry_weights"][entries], scale).astype(np.float64),
            a["intercepts"][slice(*a["child_indptr"][parent : parent + 2])].astype(np.float64),
        )
