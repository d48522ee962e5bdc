"""Huffman trees: as short as can be, for any frequencies."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skxmr import HierarchicalLabelTree


def tree_of(frequencies, branching_factor, max_leaf_size=1):
    tree = HierarchicalLabelTree(
        branching_factor, max_leaf_size, clustering="huffman", balanced=False
    )
    Z = np.ones((len(frequencies), 1), dtype=np.float32)
    return tree.fit_hierarchy(Z, frequencies=frequencies)


def depths(hierarchy):
    """Clusters on the way to each label's leaf cluster, chains of only children left out."""
    node = hierarchy.leaf_of_label
    depth = np.zeros(hierarchy.n_labels, dtype=int)
    for level in range(hierarchy.n_levels - 2, -1, -1):
        parent = hierarchy.to_parents()[level]
        alone = np.bincount(parent)[parent[node]] == 1
        depth = np.where(alone & (depth == 0), 0, np.maximum(depth, level + 1))
        node = parent[node]
    return depth


def best_cost(weights, n_letters):
    """Least sum of weight times length over all lengths that a prefix code can have (Kraft)."""
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
def test_no_prefix_code_is_shorter(weights, branching_factor):
    hierarchy = tree_of(weights, branching_factor)
    assert np.diff(hierarchy.child_indptrs[0]).max() <= branching_factor
    depth = depths(hierarchy)
    assert depth @ weights == best_cost(weights, branching_factor)


@example([0.0, 0.0, *[1.0] * 8], 2, 3)
@given(
    weights=st.lists(st.floats(0, 1e6), min_size=1, max_size=60),
    branching_factor=st.integers(2, 6),
    max_leaf_size=st.integers(1, 9),
)
def test_frequent_labels_are_nearer_the_root_and_clusters_are_small(
    weights, branching_factor, max_leaf_size
):
    hierarchy = tree_of(weights, branching_factor, max_leaf_size)
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


def test_equal_frequencies_make_a_balanced_tree():
    for frequencies in (np.ones(64), np.zeros(64)):
        assert tree_of(frequencies, 4).level_sizes == (4, 16, 64, 64)


def test_one_leaf_is_no_code():
    assert tree_of([3, 1, 2], 2, max_leaf_size=3).level_sizes == (3,)


def test_frequencies_too_far_apart_are_refused():
    assert tree_of(2.0 ** np.arange(60), 2).n_levels == 60
    with pytest.raises(ValueError, match="a tree of 99 levels .* at most 64 .*branching_factor"):
        tree_of(2.0 ** np.arange(100), 2)
    assert tree_of(2.0 ** np.arange(100), 8).n_levels < 20


def test_fit_and_fit_transform_take_frequencies():
    Z = np.eye(6)
    frequencies = [100, 1, 1, 1, 1, 1]
    tree = HierarchicalLabelTree(2, 1, clustering="huffman", balanced=False)
    memberships = tree.fit_transform(Z, frequencies=frequencies)
    assert depths(tree.hierarchy_)[0] == 1
    np.testing.assert_array_equal(memberships.toarray().argmax(axis=1), tree.labels_)


@pytest.mark.parametrize(
    ("frequencies", "message"),
    [
        (None, "needs frequencies, one a label; got None"),
        ([1, 2], r"shape \(3,\), one a label; got \(2,\)"),
        ([[1], [2], [3]], r"shape \(3,\)"),
        ([1, -2, 3], "at least 0; got -2"),
        ([1, np.nan, 3], "frequencies contains NaN"),
        ([1, np.inf, 3], "frequencies contains infinity"),
    ],
    ids=str,
)
def test_bad_frequencies(frequencies, message):
    tree = HierarchicalLabelTree(2, 1, clustering="huffman", balanced=False)
    for method in (tree.fit, tree.fit_transform, tree.fit_hierarchy):
        with pytest.raises(ValueError, match=message):
            method(np.eye(3), frequencies=frequencies)


@pytest.mark.parametrize("params", [{}, {"clustering": "random"}, {"balanced": False}], ids=str)
def test_frequencies_without_use_are_refused(params):
    with pytest.raises(ValueError, match="frequencies must be None: only clustering='huffman'"):
        HierarchicalLabelTree(**params).fit(np.eye(3), frequencies=[1, 2, 3])
