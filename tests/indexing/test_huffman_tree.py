"""Huffman trees have the lowest possible cost, for any frequencies."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skxmr import HierarchicalLabelTree


def build_tree(frequencies, branching_factor, max_leaf_size=1):
    tree = HierarchicalLabelTree(
        branching_factor, max_leaf_size, clustering="huffman", balanced=False
    )
    Z = np.ones((len(frequencies), 1), dtype=np.float32)
    return tree.fit_hierarchy(Z, frequencies=frequencies)


def depths(hierarchy):
    """Return the depth of each label's leaf cluster, without chains of single-child clusters."""
    node = hierarchy.leaf_of_label
    depth = np.zeros(hierarchy.n_labels, dtype=int)
    for level in range(hierarchy.n_levels - 2, -1, -1):
        parent = hierarchy.to_parents()[level]
        has_no_sibling = np.bincount(parent)[parent[node]] == 1
        depth = np.where(has_no_sibling & (depth == 0), 0, np.maximum(depth, level + 1))
        node = parent[node]
    return depth


def best_cost(weights, n_letters):
    """Return the lowest sum of weight times length of all prefix codes (Kraft's inequality)."""
    weights = sorted(weights, reverse=True)
    longest = -(-(len(weights) - 1) // (n_letters - 1))
    return min(
        sum(w * length for w, length in zip(weights, lengths, strict=True))
        for lengths in itertools.combinations_with_replacement(range(1, longest + 1), len(weights))
        if sum(n_letters**-length for length in lengths) <= 1 + 1e-9
    )


@given(
    weights=st.lists(st.integers(0, 50), min_size=2, max_size=7),
    branching_factor=st.integers(2, 4),
)
def test_huffman_tree_has_the_cost_of_the_best_prefix_code(weights, branching_factor):
    hierarchy = build_tree(weights, branching_factor)
    assert np.diff(hierarchy.child_indptrs[0]).max() <= branching_factor
    depth = depths(hierarchy)
    assert depth @ weights == best_cost(weights, branching_factor)


@example([0.0, 0.0, *[1.0] * 8], 2, 3)
@given(
    weights=st.lists(st.floats(0, 1e6), min_size=1, max_size=60),
    branching_factor=st.integers(2, 6),
    max_leaf_size=st.integers(1, 9),
)
def test_huffman_tree_puts_frequent_labels_near_the_root_in_small_leaves(
    weights, branching_factor, max_leaf_size
):
    hierarchy = build_tree(weights, branching_factor, max_leaf_size)
    for indptr in hierarchy.child_indptrs[:-1]:
        assert np.diff(indptr).max() <= branching_factor
    sizes = np.bincount(hierarchy.leaf_of_label)
    assert sizes.max() <= max_leaf_size
    assert np.ptp(sizes) <= 1
    by_frequency = depths(hierarchy)[np.argsort(weights, kind="stable")]
    grouped = hierarchy.leaf_of_label[np.argsort(weights, kind="stable")]
    total = np.bincount(hierarchy.leaf_of_label, weights=weights)
    for (a, x), (b, y) in itertools.pairwise(zip(grouped, by_frequency, strict=True)):
        assert y <= x or total[a] == total[b]


def test_huffman_tree_of_equal_frequencies_is_balanced():
    for frequencies in (np.ones(64), np.zeros(64)):
        assert build_tree(frequencies, 4).level_sizes == (4, 16, 64, 64)


def test_huffman_tree_of_one_leaf_has_one_level():
    assert build_tree([3, 1, 2], 2, max_leaf_size=3).level_sizes == (3,)


def test_huffman_tree_rejects_frequencies_that_give_too_many_levels():
    assert build_tree(2.0 ** np.arange(60), 2).n_levels == 60
    with pytest.raises(
        ValueError, match="at most 64 levels; got 99 levels.*branching_factor, which is 2,"
    ):
        build_tree(2.0 ** np.arange(100), 2)
    assert build_tree(2.0 ** np.arange(100), 8).n_levels < 20


def test_fit_transform_accepts_frequencies():
    Z = np.eye(6)
    frequencies = [100, 1, 1, 1, 1, 1]
    tree = HierarchicalLabelTree(2, 1, clustering="huffman", balanced=False)
    memberships = tree.fit_transform(Z, frequencies=frequencies)
    assert depths(tree.hierarchy_)[0] == 1
    np.testing.assert_array_equal(memberships.toarray().argmax(axis=1), tree.labels_)


@pytest.mark.parametrize(
    ("frequencies", "message"),
    [
        (None, "frequencies must be one number per label .*; got None"),
        ([1, 2], r"shape \(3,\), one number per label; got shape \(2,\)"),
        ([[1], [2], [3]], r"shape \(3,\)"),
        ([1, -2, 3], "at least 0; got -2"),
        ([1, np.nan, 3], "frequencies contains NaN"),
        ([1, np.inf, 3], "frequencies contains infinity"),
    ],
    ids=str,
)
def test_fit_rejects_invalid_frequencies(frequencies, message):
    tree = HierarchicalLabelTree(2, 1, clustering="huffman", balanced=False)
    for method in (tree.fit, tree.fit_transform, tree.fit_hierarchy):
        with pytest.raises(ValueError, match=message):
            method(np.eye(3), frequencies=frequencies)


@pytest.mark.parametrize("params", [{}, {"clustering": "random"}, {"balanced": False}], ids=str)
def test_fit_rejects_frequencies_for_other_clusterings(params):
    with pytest.raises(
        ValueError, match="frequencies must be None .*; got list. Only clustering='huffman'"
    ):
        HierarchicalLabelTree(**params).fit(np.eye(3), frequencies=[1, 2, 3])
