"""Levels made from matrices of weights, and matrices of the weights of levels."""

from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import csr_of
from skxmr._linear.chunk import pack_features
from skxmr._linear.level_model import Chunk, LevelLayout, LevelModel, join_chunks
from skxmr._linear.level_weights import UNTRAINED_INTERCEPT, LevelWeights
from skxmr._linear.weight_precision import quantize


def make_level(W, intercepts, child_indptr, child_ids, weight_dtype="float32"):
    """Return a level with given weights.

    Parameters
    ----------
    W : csc_array of shape (n_features, n_children), float32
        Weights of each child, canonical, all finite. Stored zeros are dropped.
    intercepts : ndarray of shape (n_children,), float32
        Intercepts. The only child of a parent has the score of its parent if its intercept is inf.
        If there is one, those of all only children must be inf, or `UNTRAINED_INTERCEPT`.
    child_indptr : ndarray of shape (n_parents + 1,), int64
        Start of the children of each parent.
    child_ids : ndarray of shape (n_children,), int32
        Number of each child in scores.
    weight_dtype : {"float32", "float16", "int8"}
        Stored dtype of the weights.

    Returns
    -------
    LevelModel
        Its fingerprints are 0, because the training data are not known.
    """
    inherits = np.isinf(intercepts)
    chunks = []
    for start, stop in pairwise(child_indptr):
        entries = slice(*W.indptr[[start, stop]])
        n_weights = np.diff(W.indptr[start : stop + 1])
        children = np.repeat(np.arange(stop - start, dtype=np.uint16), n_weights)
        order = np.argsort(W.indices[entries], kind="stable")
        order = order[W.data[entries][order] != 0]
        features, counts = np.unique(W.indices[entries][order], return_counts=True)
        summary, words = pack_features(features.astype(np.int32), W.shape[0])
        weights, scale = quantize(W.data[entries][order], weight_dtype)
        chunk_intercepts = np.where(inherits[start:stop], 0, intercepts[start:stop])
        chunks.append(
            Chunk(
                summary,
                words,
                counts.astype(np.int32),
                children[order],
                weights,
                scale,
                chunk_intercepts.astype(np.float32),
                n_iter=0,
                n_unsolved=0,
            )
        )
    layout = LevelLayout(
        child_indptr,
        child_ids,
        np.zeros(len(child_indptr) - 1, dtype=np.uint64),
        W.shape[0],
        bool(inherits.any()),
    )
    return LevelModel.from_blocks([join_chunks(chunks)], layout)


def read_weights(level):
    """Return the weights of a level: the inverse of `make_level`.

    Returns
    -------
    W : csr_array of shape (n_features, n_children), float32
        Weights of each child, as scoring uses them.
    intercepts : ndarray of shape (n_children,), float32
        Intercepts; inf for an only child that has the score of its parent.
    """
    arrays = level.arrays
    child_indptr = arrays["child_indptr"]
    reader = LevelWeights(level)
    chunks = [reader.of_chunk(parent) for parent in range(len(child_indptr) - 1)]
    features = np.concatenate([chunk.features for chunk in chunks])
    children = np.concatenate(
        [chunk.children + start for chunk, start in zip(chunks, child_indptr, strict=False)]
    )
    values = np.concatenate([chunk.weights for chunk in chunks]).astype(np.float32)
    # Entries are sorted by chunk, feature and child; a stable sort by feature keeps the children.
    order = np.argsort(features, kind="stable")
    counts = np.bincount(features, minlength=level.n_features)
    indptr = np.concatenate(([0], np.cumsum(counts)))
    shape = (level.n_features, len(arrays["child_ids"]))
    W = csr_of(indptr, children[order].astype(np.int32), values[order], shape)
    intercepts = arrays["intercepts"].copy()
    if level.only_children_inherit:
        n_children = np.diff(child_indptr)
        inherits = np.repeat(n_children == 1, n_children) & (intercepts != UNTRAINED_INTERCEPT)
        intercepts[inherits] = np.inf
    return sp.csr_array(W), intercepts
