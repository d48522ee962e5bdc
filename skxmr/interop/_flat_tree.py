"""Trees whose labels have different depths, as levels of equal depth."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr.indexing import LabelHierarchy
from skxmr.interop._files import file_error
from skxmr.xr_linear import XRLinearClassifier

# Libraries make trees of fewer than 50 levels. Each level repeats the leaves above it, so the limit
# also bounds the memory.
MAX_LEVELS = 100
# Hinges and the sigmoid of this margin are exactly 1 in float32: the intercept of a node that has
# the score of its parent.
CERTAIN_MARGIN = 100.0


class FlatTree(NamedTuple):
    """A tree of linear models with one node per column.

    Attributes
    ----------
    parents : ndarray of shape (n_nodes,), int64
        Parent of each node; -1 for the root, which has number 0.
    labels : ndarray of shape (n_nodes,), int64
        Label of each node without children, and -1 for other nodes.
    W : csc_array of shape (n_features, n_nodes), float32
        Weights of each node. Those of the root have no effect.
    intercepts : ndarray of shape (n_nodes,), float32
        Intercept of each node.
    """

    parents: np.ndarray
    labels: np.ndarray
    W: sp.csc_array
    intercepts: np.ndarray


class LeveledTree(NamedTuple):
    """Arguments of `XRLinearClassifier.from_weights` for a single tree."""

    hierarchy: LabelHierarchy
    weights: list
    intercepts: list


def make_classifier(folder, trees, **parameters):
    """Return the `XRLinearClassifier` of a list of `LeveledTree`, read from a folder.

    `parameters` are those of the classifier. A ValueError names the folder.
    """
    try:
        return XRLinearClassifier.from_weights(
            [tree.hierarchy for tree in trees],
            [tree.weights for tree in trees],
            intercepts=[tree.intercepts for tree in trees],
            path_weight=1.0,
            **parameters,
        )
    except ValueError as error:
        raise file_error(
            folder, "contain a model that XRLinearClassifier can represent", error
        ) from None


def make_levels(tree):
    """Return a `FlatTree` as a `LeveledTree`: all labels have the depth of the deepest.

    A cluster of labels that is higher than others becomes the only child of itself, as often as
    necessary, and so does a label whose siblings are clusters. These copies have the score of their
    parent. A beam therefore counts a leaf cluster once on each level, whatever its depth.

    Raises
    ------
    ValueError
        If the nodes are not a tree of at most `MAX_LEVELS` levels, or the labels are not all
        numbers from 0 on.
    """
    n_nodes = len(tree.parents)
    is_label = tree.labels >= 0
    _check_parents(tree.parents, is_label)
    children = np.argsort(tree.parents, kind="stable")[1:]  # without the root
    parents = tree.parents[1:]
    n_children = np.bincount(parents, minlength=n_nodes)
    first_child = np.cumsum(n_children) - n_children
    n_labels_below = np.bincount(parents, weights=is_label[1:], minlength=n_nodes)
    is_leaf = ~is_label & (n_labels_below == n_children)
    # Copies have the last column: no weights.
    W = sp.hstack([tree.W, sp.csc_array((tree.W.shape[0], 1), dtype=np.float32)], format="csc")

    parents_of_levels, weights, intercepts = [], [], []
    nodes, is_last = np.zeros(1, dtype=np.int64), False
    while not is_last:
        if len(weights) == MAX_LEVELS:
            raise ValueError(f"more than {MAX_LEVELS} levels")
        is_done = is_label[nodes] | is_leaf[nodes]
        is_last = bool(is_done.all())
        is_expanded = ~is_label[nodes] if is_last else ~is_done
        sizes = np.where(is_expanded, n_children[nodes], 1)
        above = np.repeat(np.arange(len(nodes)), sizes)
        place = np.arange(len(above)) - (np.cumsum(sizes) - sizes)[above]
        is_copy = ~is_expanded[above]
        child = np.where(is_copy, 0, first_child[nodes[above]] + place)
        child = np.where(is_copy, nodes[above], children[child])
        # In a level, either all only children have the scores of their parents or none has.
        has_only_children = np.any(is_expanded & (sizes == 1))
        values = np.where(
            is_copy, CERTAIN_MARGIN if has_only_children else np.inf, tree.intercepts[child]
        )
        columns = np.where(is_copy, n_nodes, child)
        if is_last:
            order = np.argsort(tree.labels[child])
            if not np.array_equal(tree.labels[child][order], np.arange(np.sum(is_label))):
                raise ValueError("labels that are not each number from 0 on once")
            above, values, columns = above[order], values[order], columns[order]
        parents_of_levels.append(above)
        weights.append(W[:, columns])
        intercepts.append(values.astype(np.float32))
        nodes = child
    return LeveledTree(LabelHierarchy.from_parents(parents_of_levels), weights, intercepts)


def _check_parents(parents, is_label):
    n_nodes = len(parents)
    if not n_nodes or parents[0] != -1 or np.any((parents[1:] < 0) | (parents[1:] >= n_nodes)):
        raise ValueError("parents that are not nodes, or not one root")
    has_children = np.zeros(n_nodes, dtype=bool)
    has_children[parents[1:]] = True
    if not np.array_equal(has_children, ~is_label):
        raise ValueError("clusters without children, or labels with children")
