"""Clusters that are drawn stand for a tree that is not made."""

import numpy as np
import pytest

from skxmr import LabelHierarchy
from skxmr._core.rows import as_rows
from skxmr._core.validation import check_targets
from skxmr.cost_estimate import _sampled_tree
from skxmr.cost_estimate._cut_times import CutTimes
from skxmr.cost_estimate._label_rows import LabelRows
from skxmr.indexing import HierarchicalLabelTree, positive_instance_features
from skxmr.indexing._build_hierarchies import build_hierarchy


@pytest.fixture
def rows(data):
    X, Y = data
    return LabelRows(as_rows(X), check_targets(Y)[0])


@pytest.fixture
def on_paths(monkeypatch):
    """Make no tree that is not asked for."""
    monkeypatch.setattr(_sampled_tree, "WHOLE_ENTRIES", 0)
    monkeypatch.setattr(_sampled_tree, "PART_ENTRIES", 20_000)
    monkeypatch.setattr(_sampled_tree, "CLUSTERS", 3)
    monkeypatch.setattr(_sampled_tree, "LEAVES", 12)


def test_features_are_those_of_the_clustering(data, rows):
    X, Y = data
    whole = positive_instance_features(X, Y, max_entries=256)
    labels = np.array([3, 1, 1999, 500])
    assert abs(rows.features(labels) - whole[labels]).max() < 1e-6
    assert rows.n_entries == pytest.approx(whole.nnz)


def test_parts_of_a_cut_are_even_and_whole(rows):
    labels = np.random.RandomState(1).permutation(2000)[:999]
    parts = rows.cut(labels, 7, CutTimes(spherical=True, max_iter=20))
    assert {len(part) for part in parts} == {142, 143}
    assert np.array_equal(np.sort(np.concatenate(parts)), np.sort(labels))


@pytest.mark.parametrize("shape", [(None, None), (4, 50), (16, 10), (2, 2000)])
def test_drawn_clusters_stand_for_all_labels(rows, on_paths, shape):
    tree = _sampled_tree.sample_tree(rows, None, branching_factor=shape[0], max_leaf_size=shape[1])
    assert tree.level_sizes[-1] == 2000
    assert len(tree.clusters) == len(tree.level_sizes) == len(tree.widths)
    for clusters, width in zip(tree.clusters, tree.widths, strict=True):
        sums = [c.factor * rows.aux[c.labels].sum() for c in clusters]
        assert sum(sums) == pytest.approx(rows.aux.sum())
        assert all(np.diff(c.child_indptr).min() > 0 for c in clusters)
        assert max(len(c.child_indptr) - 1 for c in clusters) <= width


def test_drawn_clusters_are_like_those_of_the_tree(data, rows, on_paths):
    # The rows of clusters, by level: the more alike the labels of a cluster, the fewer.
    Y = check_targets(data[1])[0]
    shape = {"branching_factor": 4, "max_leaf_size": 25}
    real = build_hierarchy(rows.features(np.arange(2000)), None, None, seed=0, **shape)
    drawn = _sampled_tree.sample_tree(rows, None, **shape)
    assert tuple(drawn.level_sizes) == real.level_sizes
    assert 0 < drawn.seconds
    wanted = [len(targets.indices) for targets in real.node_targets(Y)]
    for clusters, n_targets in zip(drawn.clusters[1:], wanted, strict=False):
        found = sum(c.factor * len(np.unique(rows.matrix[c.labels].indices)) for c in clusters)
        assert found == pytest.approx(n_targets, rel=0.15)


def test_a_small_tree_is_made_and_its_clusters_drawn(rows):
    tree = _sampled_tree.sample_tree(rows, None, branching_factor=4, max_leaf_size=8)
    assert [len(clusters) for clusters in tree.clusters] == [1, 4, 8, 8, 48]


def test_clusters_of_a_hierarchy_are_its_own(rows):
    parents = np.random.RandomState(0).permutation(np.arange(2000) % 40)
    hierarchy = LabelHierarchy.from_parents([np.zeros(5, dtype=int), np.arange(40) % 5, parents])
    tree = _sampled_tree.sample_tree(rows, hierarchy, branching_factor=None, max_leaf_size=None)
    assert tree.level_sizes == [5, 40, 2000]
    assert tree.seconds == 0
    leaves = {frozenset(np.flatnonzero(hierarchy.leaf_of_label == leaf)) for leaf in range(40)}
    assert {frozenset(c.labels) for c in tree.clusters[-1]} == leaves
    assert [c.factor for c in tree.clusters[0]] == [1.0]


def test_random_trees_have_no_features(rows):
    random = HierarchicalLabelTree(clustering="random")
    tree = _sampled_tree.sample_tree(rows, random, branching_factor=None, max_leaf_size=20)
    assert tree.level_sizes == [7, 112, 2000]
    assert tree.seconds == 0


def test_times_of_cuts_add_up():
    times = CutTimes(spherical=True, max_iter=20)
    times.entries[8:14] = 1000.0
    times.spent[8:14] = 1e-6 * np.arange(1, 7)
    times.full = 1e-9
    # A cut of 4,096 and two of 2,048, at 5 and 4 nanoseconds for each of the entries.
    assert times.seconds(4096, 4, 10**6) == pytest.approx(9e-3)
    # Three depths on samples: all entries once, and the sample's at 5 nanoseconds.
    assert times.seconds(2**15, 2, 10**6) == pytest.approx(1e-3 + 5e-3 / 8)
    assert times.seconds(2**15, 1, 10**6) == 0
