"""Clusterings other than balanced k-means: unbalanced, random, and custom clusterers."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.cluster import (
    DBSCAN,
    AgglomerativeClustering,
    BisectingKMeans,
    KMeans,
    MiniBatchKMeans,
)

from helpers import quick
from helpers.label_vectors import planted_rows, random_rows
from helpers.reference import beam_search
from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier


class ByFirstColumn(ClusterMixin, BaseEstimator):
    """Clusterer by the integer part of the first feature.

    It returns up to `extra` clusters too many, and omits the first `n_missing` rows.
    """

    def __init__(self, n_clusters=2, extra=0, n_missing=0):
        self.n_clusters = n_clusters
        self.extra = extra
        self.n_missing = n_missing

    def fit(self, Z, y=None):
        largest = self.n_clusters - 1 + self.extra
        self.labels_ = np.minimum(Z[:, 0].astype(int), largest)[self.n_missing :]
        return self


KINDS = [
    {"clustering": "random"},
    {"balanced": False},
    {"clustering": "kmeans", "balanced": False},
    {"clustering": MiniBatchKMeans(n_init=1, batch_size=64, max_iter=3)},
    {"clustering": MiniBatchKMeans(n_init=1, batch_size=64, max_iter=3), "balanced": False},
    {"clustering": ByFirstColumn(), "balanced": False},
]


@given(
    n_labels=st.integers(1, 150),
    branching_factor=st.integers(2, 7),
    max_leaf_size=st.integers(1, 40),
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 3),
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_tree_keeps_the_limits_of_cluster_size_and_depth(
    n_labels, branching_factor, max_leaf_size, kind, seed
):
    Z = 3 * random_rows(n_labels, 7, seed).toarray()
    Z[: n_labels // 2] = Z[0]  # equal rows, which no clustering can separate
    tree = HierarchicalLabelTree(branching_factor, max_leaf_size, random_state=seed, **kind).fit(Z)
    hierarchy = tree.hierarchy_
    for indptr in hierarchy.child_indptrs[:-1]:
        assert np.diff(indptr).max() <= branching_factor
    assert np.bincount(tree.labels_).max() <= max_leaf_size
    balanced_depth = 1
    while max_leaf_size * branching_factor ** (balanced_depth - 1) < n_labels:
        balanced_depth += 1
    if kind.get("balanced", True):
        assert hierarchy.n_levels == balanced_depth
        spans = np.arange(n_labels + 1)
        for indptr in reversed(hierarchy.child_indptrs):
            spans = spans[indptr]
            assert np.ptp(np.diff(spans)) <= 1
    else:
        assert hierarchy.n_levels <= balanced_depth + 1
        # A cluster is split if and only if it is too large for a leaf.
        sizes = np.diff(hierarchy.child_indptrs[-1])
        for indptr in hierarchy.child_indptrs[-2::-1]:
            sizes = np.add.reduceat(sizes, indptr[:-1])
            np.testing.assert_array_equal(np.diff(indptr) > 1, sizes > max_leaf_size)


@pytest.mark.parametrize("kind", quick.first(3, KINDS[:-1]), ids=str)
def test_tree_depends_on_the_seed_and_not_on_n_jobs(kind):
    Z = random_rows(500, 30)
    trees = [
        HierarchicalLabelTree(6, 10, random_state=3, n_jobs=n_jobs, **kind).fit(Z).hierarchy_
        for n_jobs in (None, 2, 3)
    ]
    assert all(tree == trees[0] for tree in trees)
    assert HierarchicalLabelTree(6, 10, random_state=4, **kind).fit(Z).hierarchy_ != trees[0]


@pytest.mark.parametrize("clustering", ["spherical-kmeans", "kmeans", KMeans(n_init=1)], ids=str)
@pytest.mark.parametrize("sparse", [False, True])
def test_unbalanced_tree_finds_groups_of_unequal_size(clustering, sparse):
    sizes = [5, 90, 40, 14]
    Z, group = planted_rows(sizes)
    Z = sp.csr_array(Z) if sparse else Z
    tree = HierarchicalLabelTree(4, 100, clustering=clustering, balanced=False, random_state=0).fit(
        Z
    )
    assert tree.hierarchy_.level_sizes == (4, sum(sizes))
    assert sorted(np.bincount(tree.labels_)) == sorted(sizes)
    assert len(set(zip(group, tree.labels_, strict=True))) == 4
    np.testing.assert_array_equal(tree.predict(Z), tree.labels_)


def test_unbalanced_tree_extends_a_small_cluster_by_single_child_clusters():
    sizes = [3, 60]
    Z, group = planted_rows(sizes)
    tree = HierarchicalLabelTree(2, 30, clustering="kmeans", balanced=False, random_state=0).fit(Z)
    parents = tree.hierarchy_.to_parents()
    small = np.unique(tree.labels_[group == 0])
    assert len(small) == 1
    assert np.all(group[tree.labels_ == small[0]] == 0)
    node = small[0]
    for parent in parents[-2:0:-1]:
        assert np.count_nonzero(parent == parent[node]) == 1, "the node must have no sibling"
        node = parent[node]


def test_unbalanced_tree_with_many_children_has_two_levels():
    Z = random_rows(3000, 50)
    tree = HierarchicalLabelTree(100, 100, balanced=False, random_state=0).fit(Z)
    assert tree.n_levels_ == 2
    assert 80 <= tree.n_leaves_ <= 100
    assert np.ptp(np.bincount(tree.labels_)) > 1


def test_random_tree_does_not_depend_on_the_rows():
    trees = [
        HierarchicalLabelTree(4, 10, clustering="random", random_state=0).fit(rows).hierarchy_
        for rows in (random_rows(100, 5), random_rows(100, 8, seed=1).toarray())
    ]
    assert trees[0] == trees[1]
    order = trees[0].label_order
    assert np.abs(np.corrcoef(order, np.arange(100))[0, 1]) < 0.5


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize(
    "clusterer",
    [AgglomerativeClustering(), BisectingKMeans(), KMeans(n_init=1), MiniBatchKMeans(n_init=1)],
    ids=str,
)
def test_custom_clusterers_find_planted_groups_and_are_not_modified(clusterer, balanced):
    Z, group = planted_rows([16] * 4 if balanced else [10, 20, 6, 28])
    if balanced:
        # The groups form two pairs: only one first cut separates whole groups.
        Z = np.column_stack([Z, 9.0 * (group < 2)])
    tree = HierarchicalLabelTree(4, 30, clustering=clusterer, balanced=balanced, random_state=0)
    before = clusterer.get_params()
    hierarchy = clone(tree).set_params(max_leaf_size=16 if balanced else 30).fit(Z).hierarchy_
    assert len(set(zip(group, hierarchy.leaf_of_label, strict=True))) == 4
    assert clusterer.get_params() == before
    assert not hasattr(clusterer, "labels_")
    if "n_init" in before:
        tree.set_params(clustering__n_init=3)
        assert clusterer.n_init == 3
        clusterer.n_init = 1


def test_balanced_cut_moves_only_the_rows_nearest_to_the_other_cluster():
    # The clusterer puts 14 of 20 rows into one cluster: the 4 nearest to the other must move.
    first = np.where(np.arange(20) < 14, 0.0, 1.0)
    second = np.where(np.arange(20) < 14, np.arange(20) / 100, 1.0)
    Z = np.column_stack([first, second])
    tree = HierarchicalLabelTree(2, 10, clustering=ByFirstColumn()).fit(Z)
    assert tree.labels_.tolist() == [0] * 10 + [1] * 10
    flipped = np.column_stack([1 - first, 1 - second])
    tree.fit(flipped)
    assert len(set(tree.labels_[:10])) == 1
    assert len(set(tree.labels_[10:])) == 1


def test_errors_of_a_custom_clusterer_reach_the_user():
    tree = HierarchicalLabelTree(2, 5, clustering=AgglomerativeClustering())
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        tree.fit(random_rows(20, 5))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"clustering": DBSCAN()}, "clustering must be .* n_clusters; got DBSCAN"),
        ({"clustering": KMeans}, "clustering must be a name or an instance of .*KMeans"),
        ({"clustering": "huffman"}, "balanced must be False for clustering='huffman'.*; got True"),
        (
            {"clustering": "random", "balanced": False},
            "balanced must be True .*'random'.*got False",
        ),
        ({"balanced": "yes"}, "'balanced'"),
        ({"clustering": 3}, "'clustering'"),
        ({"clustering": ByFirstColumn(extra=1)}, "ByFirstColumn must .* n_clusters=2 .*; got 3"),
        (
            {"clustering": ByFirstColumn(n_missing=2), "balanced": False},
            r"got shape \(18,\) for 20 rows",
        ),
    ],
    ids=str,
)
def test_tree_rejects_invalid_combinations(params, message):
    Z = np.arange(20.0).reshape(-1, 1) % 5
    with pytest.raises(ValueError, match=message):
        HierarchicalLabelTree(2, 5, **params).fit(Z)
    with pytest.raises(ValueError, match=message):
        HierarchicalLabelTree(2, 5, **params).fit_hierarchy(Z)


@pytest.mark.parametrize("params", [{"clustering": DBSCAN()}, {"clustering": "huffman"}], ids=str)
def test_classifier_rejects_invalid_clusterings_before_computing_label_features(
    params, xmc_data, monkeypatch
):
    monkeypatch.setattr("skxmr.indexing._build_hierarchies.compute_label_features", None)
    with pytest.raises(ValueError, match="(clustering|balanced) must be"):
        XRLinearClassifier(label_tree=HierarchicalLabelTree(**params)).fit(*xmc_data)


@pytest.mark.parametrize("clustering", ["random", "huffman"])
def test_classifier_rejects_label_features_that_the_clustering_does_not_use(clustering, xmc_data):
    tree = HierarchicalLabelTree(clustering=clustering, balanced=clustering == "random")
    with pytest.raises(
        ValueError,
        match="label_features must be 'pifa'.*which does not use label features; got 'pii'",
    ):
        XRLinearClassifier(label_tree=tree, label_features="pii").fit(*xmc_data)


HUFFMAN = {"clustering": "huffman", "balanced": False}


@pytest.mark.parametrize("kind", [*KINDS[:-1], HUFFMAN], ids=str)
def test_classifier_predicts_with_every_clustering(kind, xmc_data):
    X, Y = xmc_data
    tree = HierarchicalLabelTree(4, 10, **kind)
    model = XRLinearClassifier(label_tree=tree, beam_width=3, random_state=0).fit(X, Y)
    labels, scores = model.predict_topk(X[:20], k=3)
    for i in range(20):
        want = beam_search(model, X[[i]].toarray()[0].astype(np.float64), 3, keep=3)
        np.testing.assert_allclose(scores[i], np.exp([s for _, s in want]), rtol=1e-3)
        assert labels[i][0] == want[0][0]


def test_classifier_predicts_with_a_taxonomy_of_uneven_depth(xmc_data):
    X, Y = xmc_data
    names = [f"{i % 5}/{i % 15}/{i}" if i % 3 else f"{i % 5}/x{i}" for i in range(Y.shape[1])]
    tree = LabelHierarchy.from_taxonomy(names)
    model = XRLinearClassifier(label_tree=tree, beam_width=50, random_state=0).fit(X, Y)
    plain = XRLinearClassifier(max_leaf_size=1000, random_state=0).fit(X, Y)
    hits = [
        np.mean([Y[i, j] for i, j in enumerate(m.predict_topk(X, k=1)[0][:, 0])])
        for m in (model, plain)
    ]
    assert hits[0] > 0.9 * hits[1], "single-child clusters must not hide the labels below them"
