"""Heads fitted on embeddings that stand still: by the solver of the linear models."""

import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from skxmr._core.rows import Rows
from skxmr._core.transforms import SHAPES, LevelTransform
from skxmr.indexing import LabelHierarchy
from skxmr.transformer._heads import SCORES, ClusterHeads
from skxmr.xr_linear import XRLinearClassifier

# What a loss needs beside the classifier's defaults. Embeddings have few features, none to drop.
SETTINGS = {
    "squared_hinge": {"weight_threshold": 0.0},
    "log_loss": {
        "weight_threshold": 0.0,
        "C": 10.0,
        "relevance_norm": None,
        "positive_weight": 1.0,
    },
}


def fit_linear_heads(E, M, hierarchy, loss, seed):
    """Fit the heads of all levels of a tree, teacher forced.

    Parameters
    ----------
    E : ndarray of shape (n_rows, n_dimensions), float32
        Embeddings of unit length.
    M : csr_array of shape (n_rows, n_clusters)
        Indicator of the labels of `hierarchy`.
    hierarchy : LabelHierarchy
        The tree.
    loss : {"squared_hinge", "log_loss"}
        Loss of the models.
    seed : int
        Of the order in which the solver visits rows.

    Returns
    -------
    ClusterHeads
    """
    linear = XRLinearClassifier(
        label_tree=hierarchy,
        loss=loss,
        score_transform=SCORES[loss],
        random_state=seed,
        **SETTINGS[loss],
    )
    with warnings.catch_warnings():
        # Some sweeps short of the tolerance makes no difference to a ranking.
        warnings.simplefilter("ignore", ConvergenceWarning)
        linear.fit(sp.csr_array(E), M)
    names = [np.arange(size) for size in hierarchy.level_sizes[:-1]] + [hierarchy.label_order]
    indptrs = hierarchy.child_indptrs
    dense = [
        _dense(level, len(indptr) - 1, ids)
        for level, indptr, ids in zip(linear._model.levels, indptrs, names, strict=True)
    ]
    return ClusterHeads([w for w, _ in dense], [b for _, b in dense], hierarchy, loss)


def flat_hierarchy(n_clusters):
    """Return the tree of one level: every cluster below the root."""
    return LabelHierarchy([[0, n_clusters]], np.arange(n_clusters))


def upper_levels(hierarchy, n_levels):
    """Return the tree whose labels are the nodes of a level, in their order."""
    nodes = np.arange(hierarchy.level_sizes[n_levels - 1])
    return LabelHierarchy(hierarchy.child_indptrs[:n_levels], nodes)


def _dense(level, n_parents, child_ids):
    # The weights of a level: its margins of the rows of an identity matrix, every child of every
    # parent scored, less the intercepts.
    n_rows = level.n_features
    identity = Rows(
        np.arange(n_rows + 1, dtype=np.int64),
        np.arange(n_rows, dtype=np.int32),
        np.ones(n_rows, dtype=np.float32),
        n_rows,
    )
    everything = (
        np.arange(n_rows + 1, dtype=np.int64) * n_parents,
        np.tile(np.arange(n_parents, dtype=np.int32), n_rows),
        np.zeros(n_rows * n_parents, dtype=np.float32),
    )
    _, ids, margins = level.expand(identity, everything, 0, LevelTransform(SHAPES["identity"]))
    intercepts = np.array(level.arrays["intercepts"])
    by_id = np.empty((len(child_ids), n_rows), dtype=np.float32)
    by_id[ids.reshape(n_rows, -1)[0]] = margins.reshape(n_rows, -1).T
    return by_id[child_ids] - intercepts[:, None], intercepts
