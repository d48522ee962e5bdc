"""Read the weights of single models from a stored level, for `skxmr.inspection`."""

from typing import NamedTuple

import numpy as np

from skxmr._linear.feature_sets import unpack_features
from skxmr._linear.weight_precision import dequantize

# The intercept of a model that was never trained; see dual_solver.pyx.
UNTRAINED_INTERCEPT = np.float32(-1000.0)


class ChildWeights(NamedTuple):
    """Linear model of one child.

    Attributes
    ----------
    features : ndarray of int32
        Features with a nonzero weight, sorted.
    weights : ndarray of float64
        Their weights.
    intercept : float
        Intercept.
    """

    features: np.ndarray
    weights: np.ndarray
    intercept: float


class ChunkWeights(NamedTuple):
    """Linear models of the children of one parent, in coordinate format.

    Attributes
    ----------
    features : ndarray of int32
        Feature of each entry, sorted.
    children : ndarray of int64
        Child of each entry, as an index in the chunk.
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
        """Return the `ChildWeights` of one child, given as an index in the chunk."""
        is_child = self.children == child
        return ChildWeights(
            self.features[is_child], self.weights[is_child], float(self.intercepts[child])
        )


class LevelWeights:
    """Weights of one level, read chunk by chunk.

    Parameters
    ----------
    level : LevelModel
        Level to read; not modified.
    """

    def __init__(self, level):
        self._arrays = level.arrays
        self._indptrs = [
            level.tables[name] for name in ("word_indptr", "feature_indptr", "entry_indptr")
        ]

    def of_chunk(self, parent):
        """Return the `ChunkWeights` of the children of a parent."""
        arrays = self._arrays
        words, features, entries = (slice(*indptr[parent : parent + 2]) for indptr in self._indptrs)
        chunk_features = unpack_features(arrays["summaries"][parent], arrays["words"][words])
        scale = arrays["weight_scales"][parent] if "weight_scales" in arrays else 1.0
        children = slice(*arrays["child_indptr"][parent : parent + 2])
        return ChunkWeights(
            np.repeat(chunk_features, arrays["entry_counts"][features]),
            arrays["entry_children"][entries].astype(np.int64),
            dequantize(arrays["entry_weights"][entries], scale).astype(np.float64),
            arrays["intercepts"][children].astype(np.float64),
        )
