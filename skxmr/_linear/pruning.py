"""Removal of the smallest weights of a trained level."""

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr._linear.chunk import pack_features
from skxmr._linear.feature_sets import unpack_features
from skxmr._linear.level_model import LevelModel, join_chunks
from skxmr._linear.weight_precision import dequantize


def prune_level(level, weight_threshold=0.0, max_weights=None):
    """Return a level model with fewer weights; intercepts are kept.

    Parameters
    ----------
    level : LevelModel
        Level to prune; it is not modified.
    weight_threshold : float
        Weights with a smaller absolute value are removed. For float32 weights, the result is
        bit-identical to training with this threshold. Float16 and int8 weights are compared after
        rounding, so weights near the threshold can differ.
    max_weights : int or None
        Maximum number of weights per child. The largest are kept; of equal weights, those with the
        lower column number.

    Returns
    -------
    LevelModel
    """
    layout = level.layout
    n_parents = len(layout.fingerprints)
    chunks = [
        _prune_chunk(level.chunk(parent), level.n_features, weight_threshold, max_weights)
        for parent in range(n_parents)
    ]
    # join_chunks adds up the unsolved children: only the first chunk has the number of the level.
    chunks[0] = chunks[0]._replace(n_unsolved=level.n_unsolved)
    layout = layout._replace(fingerprints=np.zeros(n_parents, dtype=np.uint64))
    return LevelModel.from_blocks([join_chunks(chunks)], layout)


def _prune_chunk(chunk, n_features, weight_threshold, max_weights):
    magnitudes = np.abs(dequantize(chunk.weights, chunk.scale))
    keep = magnitudes >= np.float32(weight_threshold)
    if max_weights is not None:
        keep &= _are_largest(chunk.children, magnitudes, len(chunk.intercepts), max_weights)
    counts = np.add.reduceat(keep, offsets_of(chunk.counts)[:-1], dtype=np.int32)
    is_used = counts > 0
    summary, words = pack_features(unpack_features(chunk.summary, chunk.words)[is_used], n_features)
    return chunk._replace(
        summary=summary,
        words=words,
        counts=counts[is_used],
        children=chunk.children[keep],
        weights=chunk.weights[keep],
    )


def _are_largest(children, magnitudes, n_children, max_weights):
    # Whether each weight is one of the `max_weights` largest of its child. Weights are sorted by
    # feature, and the sort is stable, so of equal weights those of lower features come first.
    if len(magnitudes) <= max_weights:
        return np.ones(len(magnitudes), dtype=bool)
    order = np.lexsort((-magnitudes, children))
    first = offsets_of(np.bincount(children, minlength=n_children))
    rank = np.arange(len(order)) - np.repeat(first[:-1], np.diff(first))
    keep = np.empty(len(order), dtype=bool)
    keep[order] = rank < max_weights
    return keep
