"""Estimates of the time of a fit. Tests measure no time, because machines are busy."""

import joblib

from skxmr import XRLinearClassifier
from skxmr.cost_estimate import TimeEstimate


def test_estimate_time_has_all_stages(data):
    wanted = XRLinearClassifier(n_jobs=1).estimate_time(*data)
    assert min(wanted.label_features, wanted.tree, wanted.training) > 0
    assert wanted.n_workers == 1
    assert wanted.total == wanted.cpu
    assert wanted.longest <= wanted.training
    many = XRLinearClassifier(n_jobs=10_000).estimate_time(*data)
    assert many.n_workers == joblib.cpu_count()


def test_estimate_time_of_a_given_hierarchy_has_no_tree(data):
    model = XRLinearClassifier(random_state=0).fit(*data)
    wanted = XRLinearClassifier(label_tree=model.hierarchy_).estimate_time(*data)
    assert wanted.label_features == wanted.tree == 0 < wanted.training


def test_total_is_at_least_the_longest_cluster():
    one = TimeEstimate(2.0, 4.0, 10.0, n_workers=1, longest=3.0)
    assert one.cpu == one.total == 16.0
    assert one._replace(n_workers=2).total == 8.0
    assert one._replace(n_workers=10).total == 0.6 + 3.0
    assert str(one) == (
        "16.0 s (of the processor: label features 2.0, tree 4.0, training 10.0, on 1 threads)"
    )
