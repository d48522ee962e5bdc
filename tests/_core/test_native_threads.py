"""Threads of BLAS and OpenMP in fits of custom estimators."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, ClusterMixin
from threadpoolctl import threadpool_info, threadpool_limits

from skxmr import HierarchicalLabelTree, XRLinearClassifier


def count_threads():
    return {library["num_threads"] for library in threadpool_info()}


class RecordingClusterer(ClusterMixin, BaseEstimator):
    """Clusterer that records the numbers of threads during its fits."""

    recorded = set()

    def __init__(self, n_clusters=2):
        self.n_clusters = n_clusters

    def fit(self, Z, y=None):
        self.recorded.update(count_threads())
        self.labels_ = np.arange(len(Z)) % self.n_clusters
        return self


class RecordingRanker(ClassifierMixin, BaseEstimator):
    """Classifier that records the numbers of threads during its fits."""

    recorded = set()

    def fit(self, X, y):
        self.recorded.update(count_threads())
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return np.zeros(X.shape[0])


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(2):
        yield


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_custom_clusterers_are_fitted_with_one_thread(balanced, n_jobs):
    Z = np.random.default_rng(0).random((60, 4))
    before = count_threads()
    RecordingClusterer.recorded.clear()
    HierarchicalLabelTree(
        4, 5, clustering=RecordingClusterer(), balanced=balanced, n_jobs=n_jobs, random_state=0
    ).fit(Z)
    assert RecordingClusterer.recorded == {1}
    assert count_threads() == before


def test_custom_rankers_are_fitted_with_one_thread(xmc_data):
    before = count_threads()
    RecordingRanker.recorded.clear()
    XRLinearClassifier(ranker=RecordingRanker(), max_leaf_size=50, random_state=0).fit(*xmc_data)
    assert RecordingRanker.recorded == {1}
    assert count_threads() == before
