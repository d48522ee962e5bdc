"""HierarchicalLabelTree: sizes of balanced trees, routing, output formats and parameters."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from helpers.label_vectors import random_rows
from skxmr import HierarchicalLabelTree
from skxmr.indexing._balanced_tree import plan_branching


@given(
    n_labels=st.integers(1, 10**7),
    branching_factor=st.integers(2, 200),
    max_leaf_size=st.integers(1, 1000),
)
def test_plan_branching_reaches_all_leaves_with_the_fewest_levels(
    n_labels, branching_factor, max_leaf_size
):
    branching = plan_branching(n_labels, branching_factor, max_leaf_size)
    n_leaves = -(-n_labels // max_leaf_size)
    assert all(2 <= n_children <= branching_factor for n_children in branching)
    assert math.prod(branching) >= n_leaves
    if branching:
        assert branching_factor ** (len(branching) - 1) < n_leaves
        assert branching[1:] == [branching_factor] * (len(branching) - 1)
        assert (branching[0] - 1) * math.prod(branching[1:]) < n_leaves


@given(
    n_labels=st.integers(1, 300),
    branching_factor=st.integers(2, 9),
    max_leaf_size=st.integers(1, 40),
    clustering=st.sampled_from(["spherical-kmeans", "kmeans"]),
    seed=st.integers(0, 3),
)
def test_balanced_tree_keeps_its_size_limits(
    n_labels, branching_factor, max_leaf_size, clustering, seed
):
    Z = random_rows(n_labels, 7, seed)
    tree = HierarchicalLabelTree(
        branching_factor, max_leaf_size, clustering=clustering, random_state=seed
    ).fit(Z)
    hierarchy = tree.hierarchy_
    # LabelHierarchy guarantees that each level partitions the labels; this test checks sizes.
    for indptr in hierarchy.child_indptrs[:-1]:
        assert np.diff(indptr).max() <= branching_factor
    leaf_sizes = np.bincount(tree.labels_, minlength=tree.n_leaves_)
    assert leaf_sizes.max() <= max_leaf_size
    spans = np.arange(n_labels + 1)
    for indptr in reversed(hierarchy.child_indptrs):
        spans = spans[indptr]
        assert np.ptp(np.diff(spans)) <= 1, "balanced: sizes on a level differ by at most one"
    np.testing.assert_array_equal(tree.labels_, hierarchy.leaf_of_label)
    assert (tree.n_leaves_, tree.n_levels_) == (hierarchy.n_leaves, hierarchy.n_levels)


@pytest.mark.parametrize("clustering", ["spherical-kmeans", "kmeans"])
@pytest.mark.parametrize(("branching_factor", "max_leaf_size"), [(2, 3), (16, 10), (5, 100)])
def test_tree_does_not_depend_on_n_jobs_or_container(clustering, branching_factor, max_leaf_size):
    Z = random_rows(700, 30)
    trees = [
        HierarchicalLabelTree(
            branching_factor,
            max_leaf_size,
            clustering=clustering,
            random_state=3,
            n_jobs=n_jobs,
        )
        .fit(rows)
        .hierarchy_
        for n_jobs, rows in [
            (None, Z),
            (2, Z),
            (3, Z.toarray()),
            (1, sp.csc_matrix(Z)),
            (2, Z.astype(np.float64)),
        ]
    ]
    assert all(tree == trees[0] for tree in trees)
    other = HierarchicalLabelTree(branching_factor, max_leaf_size, random_state=4).fit(Z)
    assert other.hierarchy_ != trees[0]


def test_tree_finds_planted_clusters_and_predict_routes_new_rows_to_them():
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(8), 20))
    Z = np.zeros((160, 80))
    for g in range(8):
        Z[group == g, 10 * g : 10 * g + 10] = 0.5 + rng.random((20, 10))
    for clustering in ("spherical-kmeans", "kmeans"):
        tree = HierarchicalLabelTree(
            8, 20, clustering=clustering, random_state=0, sparse_output=False
        ).fit(Z)
        assert tree.n_leaves_ == 8
        pure = sum(len(set(group[tree.labels_ == leaf])) == 1 for leaf in range(8))
        assert pure >= 6
        unseen = np.zeros((8, 80))
        for g in range(8):
            unseen[g, 10 * g : 10 * g + 10] = 1.0
        majority = [np.bincount(group[tree.labels_ == leaf]).argmax() for leaf in range(8)]
        found = np.array(majority)[tree.predict(unseen)]
        assert np.mean(found == np.arange(8)) >= 0.75
        np.testing.assert_array_equal(tree.transform(unseen).argmax(axis=1), tree.predict(unseen))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"clustering": "kmeans"},
        {"clustering": "random"},
        {"balanced": False},
        {"clustering": "kmeans", "balanced": False},
        {"clustering": KMeans(n_init=1)},
    ],
    ids=str,
)
def test_predict_follows_the_nearest_center_on_each_level(params):
    Z = random_rows(120, 10, density=0.6).toarray().astype(np.float64)
    tree = HierarchicalLabelTree(3, 10, random_state=0, **params).fit(Z)
    spherical = "clustering" not in params
    rows = Z / np.linalg.norm(Z, axis=1, keepdims=True) if spherical else Z
    indptrs = tree.hierarchy_.child_indptrs
    parents = tree.hierarchy_.to_parents()
    # The centers by definition, from the labels below each node.
    node = tree.labels_.astype(int)
    centers = []
    for level in range(len(indptrs) - 2, -1, -1):
        means = np.stack([rows[node == n].mean(axis=0) for n in range(node.max() + 1)])
        if spherical:
            means /= np.linalg.norm(means, axis=1, keepdims=True)
        centers.insert(0, means)
        node = parents[level][node]
    for got, want in zip(tree.cluster_centers_, centers, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)
    for row, leaf in zip(rows, tree.predict(Z), strict=True):
        node = 0
        for indptr, means in zip(indptrs[:-1], centers, strict=True):
            children = np.arange(indptr[node], indptr[node + 1])
            node = children[np.argmin(((row - means[children]) ** 2).sum(axis=1))]
        assert node == leaf


def test_transform_is_one_hot_in_the_dtype_of_the_input():
    Z = random_rows(50, 6)
    tree = HierarchicalLabelTree(2, 10, random_state=0)
    for dtype in (np.float32, np.float64):
        out = tree.fit_transform(Z.astype(dtype))
        assert sp.issparse(out)
        assert out.dtype == dtype
        assert out.shape == (50, tree.n_leaves_)
        np.testing.assert_array_equal(out.toarray().sum(axis=1), 1)
        np.testing.assert_array_equal(out.toarray().argmax(axis=1), tree.predict(Z))


def test_fit_hierarchy_equals_the_tree_of_fit_and_does_not_modify_the_estimator():
    Z = normalize(random_rows(200, 10))
    tree = HierarchicalLabelTree(4, 10, random_state=0)
    hierarchy = tree.fit_hierarchy(Z)
    assert not hasattr(tree, "hierarchy_")
    assert tree.fit(Z).hierarchy_ == hierarchy


def test_set_output_returns_data_frames_with_feature_names():
    pytest.importorskip("pandas")
    Z = random_rows(50, 6).toarray()
    tree = HierarchicalLabelTree(2, 10, random_state=0, sparse_output=False)
    frame = tree.set_output(transform="pandas").fit_transform(Z)
    assert list(frame.columns) == list(tree.get_feature_names_out())
    assert frame.shape == (50, tree.n_leaves_)
    scaled = make_pipeline(StandardScaler(), tree).set_output(transform="pandas").fit_transform(Z)
    assert scaled.shape == (50, tree.n_leaves_)
    with pytest.raises(
        ValueError, match="transform must be .*; got 'pandas'. Set sparse_output=False"
    ):
        HierarchicalLabelTree().set_output(transform="pandas")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"branching_factor": 1}, "'branching_factor' .* range \\[2, 65535\\]"),
        ({"branching_factor": 2.0}, "'branching_factor'"),
        ({"max_leaf_size": 0}, "'max_leaf_size' .* range \\[1, 65535\\]"),
        ({"clustering": "agglomerative"}, "'clustering'"),
        ({"max_iter": 0}, "'max_iter'"),
        ({"sparse_output": "yes"}, "'sparse_output'"),
        ({"n_jobs": 1.5}, "'n_jobs'"),
    ],
)
def test_fit_rejects_invalid_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        HierarchicalLabelTree(**params).fit(random_rows(10, 3))
    with pytest.raises(ValueError, match=message):
        HierarchicalLabelTree(**params).fit_hierarchy(random_rows(10, 3))


def test_fit_handles_equal_rows_zero_rows_and_a_single_row():
    same = sp.csr_array(np.ones((64, 3), dtype=np.float32))
    zeros = sp.csr_array((64, 3), dtype=np.float32)
    for Z in (same, zeros, same.toarray(), zeros.toarray()):
        for clustering in ("spherical-kmeans", "kmeans"):
            tree = HierarchicalLabelTree(4, 8, clustering=clustering, random_state=0).fit(Z)
            assert np.bincount(tree.labels_).max() <= 8
            assert np.isfinite(tree.transform(Z).toarray()).all()
    single = HierarchicalLabelTree().fit(np.ones((1, 2)))
    assert single.hierarchy_.level_sizes == (1,)
    np.testing.assert_array_equal(single.predict(np.ones((3, 2))), [0, 0, 0])


@pytest.mark.parametrize("clustering", ["spherical-kmeans", "kmeans"])
def test_fit_does_not_modify_rows_and_handles_tiny_values(clustering):
    Z = np.random.default_rng(0).random((50, 4)) * 5
    single = Z.astype(np.float32)
    for rows in (Z, single, sp.csr_array(Z), sp.csr_array(single)):
        before = rows.copy()
        tree = HierarchicalLabelTree(2, 5, clustering=clustering, random_state=0).fit(rows)
        tree.predict(rows)
        tree.transform(rows)
        assert np.abs(rows - before).max() == 0
    if clustering == "spherical-kmeans":
        usual, tiny = (
            HierarchicalLabelTree(2, 5, random_state=0).fit(Z * scale) for scale in (1.0, 2.0**-40)
        )
        assert tiny.hierarchy_ == usual.hierarchy_


def test_splits_on_a_sample_find_planted_groups_for_any_n_jobs():
    # Splits of more than twice 4,096 rows run on a sample.
    rng = np.random.default_rng(0)
    n, group = 20_000, np.arange(20_000) * 7919 % 4
    group_columns = 25 * group[:, None] + rng.integers(0, 25, size=(n, 6))
    noise = rng.integers(0, 100, size=(n, 2))
    columns = np.hstack([group_columns, noise]).ravel()
    Z = sp.csr_array((np.ones(8 * n), columns, np.arange(0, 8 * n + 1, 8)), shape=(n, 100))
    Z.sum_duplicates()
    trees = [HierarchicalLabelTree(4, 5000, random_state=1, n_jobs=jobs).fit(Z) for jobs in (1, 2)]
    assert trees[0].hierarchy_ == trees[1].hierarchy_
    assert trees[0].hierarchy_.level_sizes == (4, n)
    np.testing.assert_array_equal(np.bincount(trees[0].labels_), 5000)
    counts = np.zeros((4, 4))
    np.add.at(counts, (trees[0].labels_, group), 1)
    assert counts.max(axis=1).sum() > 0.95 * n


@pytest.mark.parametrize("balanced", [True, False])
def test_kmeans_finds_the_same_clusters_far_from_the_origin(balanced):
    Z, blobs = make_blobs(1000, centers=8, n_features=4, cluster_std=0.3, random_state=0)
    # Multiples of 2**-10 are exact in float32 at this offset.
    Z = np.round(Z * 2**10) / 2**10
    tree = HierarchicalLabelTree(8, 130, clustering="kmeans", balanced=balanced, random_state=0)
    expected = tree.fit(Z).labels_
    routed = tree.predict(Z)
    assert adjusted_rand_score(blobs, expected) > 0.9
    for offset in (100, 8192):
        for rows in (Z + offset, sp.csr_array(Z + offset), (Z + offset).astype(np.float32)):
            np.testing.assert_array_equal(tree.fit(rows).labels_, expected)
            np.testing.assert_array_equal(tree.predict(rows), routed)
