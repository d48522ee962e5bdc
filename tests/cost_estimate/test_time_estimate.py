"""What a fit takes in time, as far as a test can tell without a clock."""

import joblib

from skxmr import XRLinearClassifier
from skxmr.cost_estimate import TimeEstimate


def test_every_stage_takes_time(data):
    wanted = XRLinearClassifier(n_jobs=1).estimate_time(*data)
    assert min(wanted.label_features, wanted.tree, wanted.training) > 0
    assert wanted.n_workers == 1
    assert wanted.total == wanted.cpu
    assert wanted.longest <= wanted.training
    many = XRLinearClassifier(n_jobs=10_000).estimate_time(*data)
    assert many.n_workers == joblib.cpu_count()


def test_a_tree_that_is_there_takes_none(data):
    model = XRLinearClassifier(random_state=0).fit(*data)
    wanted = XRLinearClassifier(label_tree=model.hierarchy_).estimate_time(*data)
    assert wanted.label_features == wanted.tree == 0 < wanted.training


def test_threads_share_all_but_the_largest_cluster():
    one = TimeEstimate(2.0, 4.0, 10.0, n_workers=1, longest=3.0)
    assert one.cpu == one.total == 16.0
    assert one._replace(n_workers=2).total == 8.0
    assert one._replace(n_workers=10).total == 0.6 + 3.0
    assert str(one) == (
        "16.0 s (of the processor: label features 2.0, tree 4.0, training 10.0, on 1 threads)"
    )
