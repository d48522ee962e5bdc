"""Drop the weights of a level that matter least, after training."""

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr._linear.chunk import pack_features
from skxmr._linear.feature_sets import unpack_features
from skxmr._linear.level_model import LevelModel, join_chunks
from skxmr._linear.weight_precision import dequantise


def prune_level(level, weight_threshold=0.0, max_weights=None):
    """Return a level model with fewer weights; intercepts stay.

    Parameters
    ----------
    level : LevelModel
        Left as it is.
    weight_threshold : float
        Weights smaller in size are dropped: to the bit what training with a threshold leaves,
        where it left more. Weights of fewer bits are taken as they were rounded.
    max_weights : int or None
        Most weights that a child keeps, its largest in size; of equal ones those of lower features.

    Returns
    -------
    LevelModel
    """
    a = level.arrays
    scales = a.get("weight_scales", np.ones(len(a["summaries"]), dtype=np.float32))
    starts = [level.tables[f"{part}_indptr"] for part in ("word", "feature", "entry")]
    intercepts = np.split(a["intercepts"], a["child_indptr"][1:-1])
    chunks = []
    for parent in range(len(a["summaries"])):
        own, features, here = (slice(*start[parent : parent + 2]) for start in starts)
        words, counts = a["words"][own], a["entry_counts"][features]
        entries = a["entry_children"][here], a["entry_weights"][here], scales[parent]
        n_unsolved = level.n_unsolved if parent == 0 else 0
        chunk = (
            *(a["summaries"][parent], words, counts, *entries),
            *(intercepts[parent], level.n_iter, n_unsolved),
        )
        chunks.append(prune_chunk(chunk, level.n_features, weight_threshold, max_weights))
    blocks = [join_chunks(chunks)]
    return LevelModel.from_blocks(blocks, a["child_indptr"], a["child_ids"], level.n_features)


def prune_chunk(chunk, n_features, weight_threshold=0.0, max_weights=None):
    """Return a chunk, as `Solver.solve` returns it, with fewer weights; see `prune_level`."""
    summary, words, counts, children, weights, scale, intercepts, *iterations = chunk
    sizes = np.abs(dequantise(weights, scale))
    keep = sizes >= np.float32(weight_threshold)
    if max_weights is not None:
        keep &= _largest(children, sizes, len(intercepts), max_weights)
    counts = np.add.reduceat(keep, offsets_of(counts)[:-1], dtype=np.int32)
    used = counts > 0
    features = unpack_features(summary, words)[used]
    return (
        *pack_features(features, n_features),
        *(counts[used], children[keep], weights[keep], scale, intercepts),
        *iterations,
    )


def _largest(children, sizes, n_children, max_weights):
    # Whether each entry is among the largest of its child. Entries stand by rising feature.
    if len(sizes) <= max_weights:
        return np.ones(len(sizes), dtype=bool)
    order = np.lexsort((-sizes, children))
    first = offsets_of(np.bincount(children, minlength=n_children))
    rank = np.arange(len(order)) - np.repeat(first[:-1], np.diff(first))
    keep = np.empty(len(order), dtype=bool)
    keep[order] = rank < max_weights
    return keep
