"""Trees whose labels have different depths become levels with the same paths."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skxmr.interop._flat_tree import MAX_LEVELS, FlatTree, make_levels


def make_tree(parents, labels):
    """Return a tree in which the only weight and the intercept of a node are its number."""
    numbers = np.arange(len(parents), dtype=np.float32)
    W = sp.csc_array(numbers[None])
    return FlatTree(np.array(parents), np.array(labels), W, numbers)


@st.composite
def flat_trees(draw):
    """Draw a tree with nodes in any order except for the root, and labels at any depth."""
    n = draw(st.integers(2, 30))
    parents = [-1, *(draw(st.integers(0, i - 1)) for i in range(1, n))]
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    new = np.concatenate([[0], 1 + rng.permutation(n - 1)])
    shuffled = np.empty(n, dtype=np.int64)
    shuffled[new] = [-1, *new[parents[1:]]]
    is_leaf = ~np.isin(np.arange(n), shuffled)
    labels = np.full(n, -1)
    labels[is_leaf] = rng.permutation(np.count_nonzero(is_leaf))
    return make_tree(shuffled, labels)


@given(flat_trees())
def test_make_levels_keeps_the_path_of_each_label(tree):
    hierarchy, weights, intercepts = make_levels(tree)
    parents = hierarchy.to_parents()
    for node in np.flatnonzero(tree.labels >= 0):
        expected = []
        at = node
        while at != 0:
            expected.append(at)
            at = tree.parents[at]
        found, column = [], tree.labels[node]
        for level in range(hierarchy.n_levels - 1, -1, -1):
            number = int(weights[level].toarray()[0, column])
            if number:
                assert intercepts[level][column] == number
                found.append(number)
            else:  # a copy
                assert intercepts[level][column] in (np.inf, 100)
            column = parents[level][column]
        assert found == expected


def test_leaf_clusters_are_copied_and_not_their_labels():
    tree = make_tree([-1, 0, 0, 1, 1, 2, 2, 5, 5, 6], [-1, -1, -1, 1, 0, -1, -1, 2, 4, 3])
    assert make_levels(tree).hierarchy.level_sizes == (2, 3, 5)


def test_labels_next_to_clusters_are_copied():
    tree = make_tree([-1, 0, 0, 2, 2], [-1, 2, -1, 1, 0])
    hierarchy, _, intercepts = make_levels(tree)
    assert hierarchy.level_sizes == (2, 3)
    assert intercepts[-1].tolist() == [4, 3, np.inf]


def test_only_children_with_weights_replace_inf():
    tree = make_tree([-1, 0, 0, 0, 1, 2, 2], [-1, -1, -1, 0, 1, 2, 3])
    assert make_levels(tree).intercepts[-1].tolist() == [100, 4, 5, 6]


@pytest.mark.parametrize(
    ("parents", "labels", "message"),
    [
        ([], [], "one root"),
        ([0], [0], "one root"),
        ([-1, -1], [-1, 0], "one root"),
        ([-1, 2], [-1, 0], "one root"),
        ([-1, 0], [-1, -1], "clusters without children"),
        ([-1, 0, 1], [-1, 0, 1], "labels with children"),
        ([-1, 0, 0], [-1, 0, 2], "each number from 0 on once"),
        ([-1, 0, 0], [-1, 0, 0], "each number from 0 on once"),
        ([-1, 0, 3, 2, 3], [-1, 0, -1, -1, 1], "each number from 0 on once"),  # a cycle
        (np.arange(-1, MAX_LEVELS + 2), [-1] * (MAX_LEVELS + 2) + [0], "more than 100 levels"),
    ],
)
def test_other_graphs_are_refused(parents, labels, message):
    with pytest.raises(ValueError, match=message):
        make_levels(make_tree(parents, labels))
