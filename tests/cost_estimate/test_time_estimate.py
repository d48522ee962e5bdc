"""Estimates of the time of a fit. Tests measure no time, because machines are busy."""

from types import SimpleNamespace

import joblib
import pytest

from skxmr import XRLinearClassifier
from skxmr.cost_estimate import TimeEstimate, _time


def test_estimate_time_has_all_stages(data):
    estimate = XRLinearClassifier(n_jobs=1).estimate_time(*data)
    assert min(estimate.label_features, estimate.tree, estimate.training) > 0
    assert estimate.n_workers == 1
    assert estimate.training_elapsed == estimate.training
    assert estimate.total == estimate.cpu
    many = XRLinearClassifier(n_jobs=10_000).estimate_time(*data)
    assert many.n_workers == joblib.cpu_count()


def test_estimate_time_of_a_given_hierarchy_has_no_tree(data):
    model = XRLinearClassifier(random_state=0).fit(*data)
    estimate = XRLinearClassifier(label_tree=model.hierarchy_).estimate_time(*data)
    assert estimate.label_features == estimate.tree == 0 < estimate.training


@pytest.mark.parametrize(
    ("n_workers", "elapsed"), [(1, 10.0 + 6.0), (2, 5.0 + 4.0), (10, 3.0 + 4.0)]
)
def test_estimate_time_of_each_tree_is_at_least_its_longest_cluster(
    monkeypatch, n_workers, elapsed
):
    def level(seconds, longest):
        return SimpleNamespace(
            total=SimpleNamespace(seconds=seconds), largest=SimpleNamespace(seconds=longest)
        )

    monkeypatch.setattr(_time, "cpu_count", lambda: 16)
    trees = [level(3.0, 3.0), level(7.0, 1.0)], [level(6.0, 4.0)]
    costs = SimpleNamespace(feature_seconds=2.0, tree_seconds=4.0, trees=trees)
    estimate = _time.estimate_time(costs, n_workers)
    assert estimate == TimeEstimate(2.0, 4.0, 16.0, elapsed, n_workers)
    assert estimate.cpu == 22.0
    assert estimate.total == 6.0 / n_workers + elapsed


def test_str_shows_elapsed_and_processor_seconds():
    estimate = TimeEstimate(2.0, 4.0, 10.0, training_elapsed=5.0, n_workers=2)
    stages = "label features 2.0, tree 4.0, training 10.0; 2 threads"
    assert str(estimate) == f"8.0 s (processor seconds: {stages})"
    assert str(estimate._replace(n_workers=1)).endswith("training 10.0; 1 thread)")
