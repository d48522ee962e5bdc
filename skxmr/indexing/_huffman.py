"""Trees in which frequent labels have short paths."""

import heapq

import numpy as np

from skxmr.indexing._hierarchical_clustering import part_sizes
from skxmr.indexing._label_hierarchy import LabelHierarchy

# A model of each level is kept and walked through; a tree this deep is a mistake.
MAX_DEPTH = 64


def huffman_hierarchy(frequencies, branching_factor, max_leaf_size):
    """Group labels by a Huffman code of their frequencies.

    Labels of like frequency share a leaf cluster; the clusters are the symbols of a Huffman code
    with `branching_factor` letters, so no tree over them has a lower sum of frequency times depth
    (Huffman 1952, "A method for the construction of minimum-redundancy codes", Proc. IRE 40(9);
    for label trees Jasinska, Dembczynski, Busa-Fekete, Pfannschmidt, Klerx, Huellermeier 2016,
    "Extreme F-measure maximization using sparse probability estimates", ICML). A leaf cluster above
    the deepest level is carried down by a chain of only children.

    Parameters
    ----------
    frequencies : ndarray of shape (n_labels,), float64
        Weights, at least 0.
    branching_factor, max_leaf_size : int
        As in `HierarchicalLabelTree`.

    Returns
    -------
    LabelHierarchy
        The tree.

    Raises
    ------
    ValueError
        If the code has a path of more than 64 clusters.
    """
    n_labels = len(frequencies)
    n_groups = -(-n_labels // max_leaf_size)
    order = np.argsort(frequencies, kind="stable")
    group = np.empty(n_labels, dtype=np.int64)
    # The larger groups last, so that groups of more frequent labels weigh no less.
    group[order] = np.repeat(np.arange(n_groups), np.sort(part_sizes(n_labels, n_groups)))
    parent = _code(np.bincount(group, weights=frequencies).tolist(), branching_factor)
    depth = np.zeros(len(parent), dtype=np.int64)
    for node in range(len(parent) - 2, -1, -1):
        depth[node] = depth[parent[node]] + 1
    if depth.max() > MAX_DEPTH:
        raise ValueError(
            f"clustering='huffman' makes a tree of {depth.max()} levels from these frequencies; at "
            f"most {MAX_DEPTH} are allowed. A larger branching_factor (it is {branching_factor}) "
            "or max_leaf_size, or frequencies less far apart, make fewer."
        )
    above = np.zeros(len(parent), dtype=np.int64)  # number of a node in the level above
    parents = []
    for level in range(1, depth.max() + 1):
        finished = np.flatnonzero(depth[:n_groups] < level)
        new = np.flatnonzero(depth == level)
        parents.append(above[np.concatenate([finished, parent[new]])])
        above[finished] = np.arange(len(finished))
        above[new] = np.arange(len(finished), len(finished) + len(new))
    return LabelHierarchy.from_parents([*parents, above[group]])


def _code(weights, n_letters):
    # The parent of each node of a Huffman tree: symbols first, the root, its own parent, last.
    n = len(weights)
    heap = [(weight, node) for node, weight in enumerate(weights)]
    heapq.heapify(heap)
    parent = list(range(n))
    # The first merge takes what is left over, so that all others are full.
    size = (n - 2) % (n_letters - 1) + 2
    while len(heap) > 1:
        # Of equal weights the older come first: the tree stays as shallow as it can.
        merged = [heapq.heappop(heap) for _ in range(min(size, len(heap)))]
        node = len(parent)
        parent.append(node)
        for _, child in merged:
            parent[child] = node
        heapq.heappush(heap, (sum(weight for weight, _ in merged), node))
        size = n_letters
    return np.array(parent)
