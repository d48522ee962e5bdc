"""Huffman trees: frequent labels get short paths."""

import heapq

import numpy as np

from skxmr.indexing._balanced_tree import divide_evenly
from skxmr.indexing._label_hierarchy import LabelHierarchy

# Each level has its own model, and prediction visits all levels. A deeper tree is a mistake.
MAX_DEPTH = 64


def build_huffman_hierarchy(frequencies, branching_factor, max_leaf_size):
    """Group labels by a Huffman code of their frequencies.

    Labels of similar frequency share a leaf cluster. The leaf clusters are the symbols of a Huffman
    code with `branching_factor` letters: no other tree over these clusters has a lower sum of
    frequency times depth (Huffman 1952, "A method for the construction of minimum-redundancy
    codes", Proc. IRE 40(9); for label trees Jasinska, Dembczynski, Busa-Fekete, Pfannschmidt,
    Klerx, Huellermeier 2016, "Extreme F-measure maximization using sparse probability estimates",
    ICML). A chain of single-child clusters extends each leaf cluster to the depth of the deepest.

    Parameters
    ----------
    frequencies : ndarray of shape (n_labels,), float64
        Weights of labels, at least 0.
    branching_factor, max_leaf_size : int
        Parameters of `HierarchicalLabelTree`.

    Returns
    -------
    LabelHierarchy

    Raises
    ------
    ValueError
        If the code has a path of more than `MAX_DEPTH` clusters.
    """
    n_labels = len(frequencies)
    n_leaves = -(-n_labels // max_leaf_size)
    order = np.argsort(frequencies, kind="stable")
    leaf_of_label = np.empty(n_labels, dtype=np.int64)
    # Larger leaves come last, so that leaves of more frequent labels never weigh less.
    leaf_sizes = np.sort(divide_evenly(n_labels, n_leaves))
    leaf_of_label[order] = np.repeat(np.arange(n_leaves), leaf_sizes)
    leaf_weights = np.bincount(leaf_of_label, weights=frequencies).tolist()
    parent = _huffman_parents(leaf_weights, branching_factor)
    depth = np.zeros(len(parent), dtype=np.int64)
    for node in range(len(parent) - 2, -1, -1):
        depth[node] = depth[parent[node]] + 1
    if depth.max() > MAX_DEPTH:
        raise ValueError(
            f"clustering='huffman' must give at most {MAX_DEPTH} levels; got {depth.max()} levels. "
            f"Increase branching_factor, which is {branching_factor}, or max_leaf_size, or use "
            "frequencies that differ less."
        )
    # Level by level from the root: leaves that ended above get a single child each, then come the
    # new nodes of this level.
    number_in_level = np.zeros(len(parent), dtype=np.int64)
    parents = []
    for level in range(1, depth.max() + 1):
        ended = np.flatnonzero(depth[:n_leaves] < level)
        new = np.flatnonzero(depth == level)
        parents.append(number_in_level[np.concatenate([ended, parent[new]])])
        number_in_level[ended] = np.arange(len(ended))
        number_in_level[new] = np.arange(len(ended), len(ended) + len(new))
    return LabelHierarchy.from_parents([*parents, number_in_level[leaf_of_label]])


def _huffman_parents(weights, n_letters):
    """Return the parent of each node of a Huffman tree.

    Symbols come first. The root comes last and is its own parent.
    """
    n_symbols = len(weights)
    heap = [(weight, node) for node, weight in enumerate(weights)]
    heapq.heapify(heap)
    parent = list(range(n_symbols))
    # The first merge takes the remainder, so that all later merges have n_letters nodes.
    n_merged = (n_symbols - 2) % (n_letters - 1) + 2
    while len(heap) > 1:
        # Among equal weights older nodes are merged first, which keeps the tree shallow.
        merged = [heapq.heappop(heap) for _ in range(min(n_merged, len(heap)))]
        node = len(parent)
        parent.append(node)
        for _, child in merged:
            parent[child] = node
        heapq.heappush(heap, (sum(weight for weight, _ in merged), node))
        n_merged = n_letters
    return np.array(parent)
