"""Clusters on trial take what clusters of a fit do."""

import numpy as np
import pytest

from skxmr import LabelHierarchy, XRLinearClassifier
from skxmr._core.rows import as_rows
from skxmr._core.validation import check_targets
from skxmr._linear import Solver
from skxmr.cost_estimate import _trial_training
from skxmr.cost_estimate._label_rows import LabelRows
from skxmr.cost_estimate._sampled_tree import SampledCluster
from skxmr.cost_estimate._trial_training import TrialTrainer


@pytest.fixture(scope="module")
def hierarchy():
    parents = [np.zeros(5, dtype=int), np.arange(20) // 4, np.arange(2000) // 100]
    return LabelHierarchy.from_parents(parents)


@pytest.fixture
def trainer(data):
    X, Y = data
    rows = LabelRows(as_rows(X), check_targets(Y)[0])
    return TrialTrainer(rows, Solver(positive_weight=2.0), "l2")


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_trial_is_the_training_of_a_fit(data, hierarchy, trainer, level):
    model = XRLinearClassifier(label_tree=hierarchy, random_state=0).fit(*data)
    real = model._model.levels[level]
    # The second parent of each level, or the root.
    labels, sizes = [(2000, 400), (400, 100), (100, 1)][level]
    first = 0 if level == 0 else labels
    cluster = SampledCluster(
        np.arange(first, first + labels), np.arange(0, labels + 1, sizes), factor=1.0
    )
    trial, chunk = trainer.train(cluster)
    parent = int(level > 0)
    features = np.diff(real.tables["feature_indptr"])[parent]
    # Rows are visited in another order, and costs of rows with labels elsewhere are not exact.
    assert trial.features == pytest.approx(features, rel=0.1)
    assert len(chunk[4]) == trial.weights == trial.kept_weights
    before = real.tables["feature_indptr"][parent]
    counts = real.arrays["entry_counts"][before : before + features]
    assert trial.weights == pytest.approx(counts.sum(), rel=0.1)
    assert trial.words == pytest.approx(np.diff(real.tables["word_indptr"])[parent], rel=0.1)
    assert trial.labelled == data[1][:, cluster.labels].nnz
    assert trial.workspace > 8 * trial.rows


def test_a_part_of_rows_or_children_tells_of_all(trainer, monkeypatch):
    cluster = SampledCluster(np.arange(1000), np.arange(1001), factor=1.0)
    names = ("rows", "targets", "weights", "features", "words")
    monkeypatch.setattr(_trial_training, "CHILDREN", 1000)
    monkeypatch.setattr(_trial_training, "VISITS", np.inf)
    whole, _ = trainer.train(cluster)
    monkeypatch.setattr(_trial_training, "CHILDREN", 250)
    few, chunk = trainer.train(cluster)
    assert len(chunk[-3]) == 250
    monkeypatch.setattr(_trial_training, "CHILDREN", 1000)
    visits = trainer.row_sizes.sum() * 1000 / 16
    monkeypatch.setattr(_trial_training, "VISITS", visits / 4)
    part, _ = trainer.train(cluster)
    for found in (few, part):
        for name in names:
            assert getattr(found, name) == pytest.approx(getattr(whole, name), rel=0.3)


def test_bounded_weights_are_counted_too(trainer):
    cluster = SampledCluster(np.arange(50), np.arange(51), factor=1.0)
    trial, _ = trainer.train(cluster, max_weights=3)
    assert trial.kept_weights <= 150 < trial.weights
    assert trial.kept_features < trial.features


def test_a_power_is_followed_as_it_falls():
    sizes = np.array([25, 50, 100])
    steps = np.log(sizes / 25.0)
    straight, bent = 3.0 * sizes**0.8, np.exp(0.9 * steps - 0.1 * steps**2)
    measured = np.column_stack([sizes / 5.0, straight, np.full(3, 7.0), bent])
    found = _trial_training._extended(measured, sizes, 400)
    reach = np.log(400 / 25.0)
    wanted = [80.0, 3.0 * 400**0.8, 7.0, np.exp(0.9 * reach - 0.1 * reach**2)]
    assert found == pytest.approx(wanted)
    # No number falls, however far.
    assert np.all(_trial_training._extended(measured, sizes, 10**6) >= measured[-1])
    assert _trial_training._extended(measured[:1], [25], 25) == pytest.approx(measured[0])
