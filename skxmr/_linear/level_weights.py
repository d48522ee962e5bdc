"""The weights of individual children of a level, to explain scores."""

from typing import NamedTuple

import numpy as np

from skxmr._linear.feature_sets import unpack_features
from skxmr._linear.weight_precision import dequantize

# Intercept of a model that was never trained; see dual_solver.pyx.
UNTRAINED_INTERCEPT = np.float32(-1000.0)


class ChunkWeights(NamedTuple):
    """Linear models of the children of one parent, as entries (feature, child, weight).

    Attributes
    ----------
    features : ndarray of shape (n_entries,), int32
        Feature of each entry, sorted.
    children : ndarray of shape (n_entries,), int64
        Child of each entry, numbered within the chunk.
    weights : ndarray of shape (n_entries,), float64
        Weight of each entry.
    intercepts : ndarray of shape (n_children,), float64
        Intercept of each child.
    """

    features: np.ndarray
    children: np.ndarray
    weights: np.ndarray
    intercepts: np.ndarray

    def of_child(self, child):
        """Return (features, weights, intercept) of one child, numbered within the chunk."""
        is_child = self.children == child
        return self.features[is_child], self.weights[is_child], float(self.intercepts[child])


class LevelWeights:
    """Reader of the weights of a level, chunk by chunk.

    Parameters
    ----------
    level : LevelModel
        Trained level.
    """

    def __init__(self, level):
        self.level = level

    def of_chunk(self, parent):
        """Return the `ChunkWeights` of the children of a parent."""
        arrays, tables = self.level.arrays, self.level.tables
        words, features, entries = (
            slice(*tables[name][parent : parent + 2])
            for name in ("word_indptr", "feature_indptr", "entry_indptr")
        )
        children = slice(*arrays["child_indptr"][parent : parent + 2])
        chunk_features = unpack_features(arrays["summaries"][parent], arrays["words"][words])
        scale = arrays["weight_scales"][parent] if "weight_scales" in arrays else 1.0
        return ChunkWeights(
            np.repeat(chunk_features, arrays["entry_counts"][features]),
            arrays["entry_children"][entries].astype(np.int64),
            dequantize(arrays["entry_weights"][entries], scale).astype(np.float64),
            arrays["intercepts"][children].astype(np.float64),
        )
