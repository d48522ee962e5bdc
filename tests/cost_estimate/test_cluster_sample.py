"""Sampled clusters represent all clusters of a tree, and have the costs of a fit."""

import numpy as np
import pytest
import scipy.sparse as sp

from skxmr import LabelHierarchy, XRLinearClassifier
from skxmr._core.rows import as_rows
from skxmr._core.targets import check_targets
from skxmr._linear import Solver
from skxmr.cost_estimate import _cluster_sample
from skxmr.cost_estimate._cluster_sample import (
    ClusterCosts,
    ClusterTrainer,
    SampledCluster,
    sample_clusters,
)


@pytest.fixture(scope="module")
def hierarchy():
    parents = [np.zeros(5, dtype=int), np.arange(50) // 10, np.arange(2000) // 40]
    return LabelHierarchy.from_parents(parents)


@pytest.fixture(params=["l2"])
def trainer(data, request):
    positives = sp.csc_array(check_targets(data[1])[0])
    return ClusterTrainer(
        as_rows(data[0]).to_training_rows(), positives, Solver(positive_weight=2.0), request.param
    )


def test_sample_clusters_represents_the_size_of_all_labels(hierarchy):
    sizes = np.random.RandomState(0).pareto(1.0, 2000) + 0.1
    levels = sample_clusters(hierarchy, sizes)
    assert [len(clusters) for clusters in levels[:2]] == [1, 5]
    assert 1 < len(levels[2]) <= _cluster_sample.CLUSTERS
    for clusters in levels:
        total = sum(cluster.factor * sizes[cluster.labels].sum() for cluster in clusters)
        assert total == pytest.approx(sizes.sum())
        assert all(cluster.child_sizes.sum() == len(cluster.labels) for cluster in clusters)
    assert [cluster.factor for cluster in levels[1]] == [1.0] * 5
    assert {tuple(cluster.child_sizes) for cluster in levels[1]} == {(40,) * 10}


@pytest.mark.parametrize(
    ("trainer", "exact"),
    [("l1", True), ("max", False), ("l2", False), (None, True)],
    indirect=["trainer"],
)
@pytest.mark.parametrize("level", [0, 1, 2])
def test_train_has_the_costs_of_a_fit(data, hierarchy, trainer, exact, level):
    norm = trainer.relevance_norm
    model = XRLinearClassifier(label_tree=hierarchy, relevance_norm=norm, random_state=0).fit(*data)
    real = model._model.levels[level]
    # The second cluster of a level, or the root.
    first, n_labels, child_size = [(0, 2000, 400), (400, 400, 40), (40, 40, 1)][level]
    labels = np.arange(first, first + n_labels)
    cluster = SampledCluster(labels, np.full(n_labels // child_size, child_size), factor=1.0)
    costs = trainer.train(cluster)
    cluster_number = int(level > 0)
    start, stop = real.tables["feature_indptr"][[cluster_number, cluster_number + 1]]
    # Other seeds; and norms other than "l1" approximate the labels of other clusters.
    tolerance = 0.1 if exact else 0.2
    assert costs.features == pytest.approx(stop - start, rel=tolerance)
    assert costs.bitmap_bytes == pytest.approx(
        8 * np.diff(real.tables["word_indptr"])[cluster_number], rel=tolerance
    )
    n_weights = real.arrays["entry_counts"][start:stop].sum(dtype=np.int64)
    assert costs.weight_bytes > 5 * (1 - tolerance) * n_weights
    assert costs.weight_bytes == pytest.approx(5 * n_weights + costs.features, rel=tolerance)
    assert costs.workspace > 8 * costs.features


def test_train_extrapolates_from_some_rows_or_children(trainer, monkeypatch):
    cluster = SampledCluster(np.arange(1000), np.ones(1000, dtype=int), factor=1.0)
    monkeypatch.setattr(_cluster_sample, "CHILDREN", 1000)
    monkeypatch.setattr(_cluster_sample, "VISITS", np.inf)
    exact = trainer.train(cluster)
    monkeypatch.setattr(_cluster_sample, "VISITS", trainer.row_sizes.sum() * 1000 / 16 / 4)
    from_rows = trainer.train(cluster)
    monkeypatch.setattr(_cluster_sample, "CHILDREN", 250)
    monkeypatch.setattr(_cluster_sample, "VISITS", np.inf)
    from_children = trainer.train(cluster)
    for extrapolated in (from_rows, from_children):
        assert extrapolated.positives == exact.positives
        for name in ("features", "bitmap_bytes", "weight_bytes"):
            assert getattr(extrapolated, name) == pytest.approx(getattr(exact, name), rel=0.3)


def test_train_has_no_weights_for_an_only_child(trainer):
    cluster = SampledCluster(np.arange(1000), np.array([1000]), factor=1.0)
    costs = trainer.train(cluster)
    assert costs.positives > 0
    assert costs._replace(positives=0) == ClusterCosts()
