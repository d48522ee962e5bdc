"""Sample trees resemble the trees of a fit."""

import pytest
import scipy.sparse as sp
from sklearn.cluster import KMeans

from skxmr._core.rows import as_rows
from skxmr._core.targets import check_targets
from skxmr.cost_estimate import _tree_sample
from skxmr.cost_estimate._tree_sample import TreeSampler
from skxmr.indexing import HierarchicalLabelTree, positive_instance_features


@pytest.fixture
def positives(data):
    return sp.csc_array(check_targets(data[1])[0])


def test_tree_sampler_has_the_features_of_a_fit_if_labels_are_few(data, positives):
    sampler = TreeSampler(as_rows(data[0]).to_training_rows(), positives)
    features = positive_instance_features(*data, max_entries=256)
    assert abs(sampler.fit_features - features).max() < 1e-6
    assert sampler.entries == features.nnz
    hierarchy, seconds = sampler.sample(None, 4, 25)
    tree = HierarchicalLabelTree(4, 25, random_state=0)
    assert hierarchy == tree.fit_hierarchy(sampler.fit_features)
    assert seconds > 0


def test_tree_sampler_with_short_features_resembles_a_fit(data, positives, monkeypatch):
    Y = check_targets(data[1])[0]
    X = as_rows(data[0]).to_training_rows()
    complete = TreeSampler(X, positives)
    monkeypatch.setattr(_tree_sample, "SAMPLED_LABELS", 500)
    short = TreeSampler(X, positives)
    assert short.short_features.nnz < complete.fit_features.nnz / 4
    assert short.entries == pytest.approx(complete.entries, rel=0.1)
    for balanced in (True, False):
        tree = HierarchicalLabelTree(balanced=balanced)
        found, seconds = short.sample(tree, 4, 25)
        wanted, _ = complete.sample(tree, 4, 25)
        assert seconds > 0
        if balanced:
            assert found.level_sizes == wanted.level_sizes
        # Clusters of similar labels have few rows.
        for ours, theirs in zip(found.node_targets(Y), wanted.node_targets(Y), strict=False):
            assert ours.nnz == pytest.approx(theirs.nnz, rel=0.2)


def test_tree_sampler_calls_no_custom_clusterer(data, positives):
    class Refused(KMeans):
        def fit_predict(self, X, y=None):
            raise AssertionError

    hierarchy, _ = TreeSampler(as_rows(data[0]).to_training_rows(), positives).sample(
        HierarchicalLabelTree(clustering=Refused()), None, None
    )
    assert hierarchy.n_labels == 2000
