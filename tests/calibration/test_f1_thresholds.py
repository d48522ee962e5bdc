"""Thresholds against every other threshold."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import f1_score
from sklearn.model_selection import ShuffleSplit

from skxmr import XRLinearClassifier
from skxmr.calibration import TunedThresholdMultilabelClassifierCV


class ScoresAsRows(ClassifierMixin, BaseEstimator):
    """Returns the rows that it is asked about as its scores."""

    def fit(self, X, y):
        self.classes_ = np.arange(y.shape[1])
        return self

    def predict_proba(self, X):
        return X


def f1(Y, predicted, average):
    return f1_score(Y.toarray(), predicted, average=average, zero_division=0)


def quick_f1(Y, predicted, average):
    """The same in three lines, for loops over all thresholds."""
    axis = {"micro": None, "macro": 0, "samples": 1}[average]
    hits, size = (Y * predicted).sum(axis), Y.sum(axis) + predicted.sum(axis)
    return np.mean(2 * hits / np.maximum(size, 1))


def random_problem(seed, n_rows=12, n_labels=5, n_values=6):
    """Sparse scores on a coarse grid, so that there are ties, and labels that they tell about."""
    rng = np.random.default_rng(seed)
    Y = rng.random((n_rows, n_labels)) < rng.uniform(0.1, 0.6, n_labels)
    noise = rng.integers(0, n_values, Y.shape) + 2 * Y * (rng.random(Y.shape) < 0.7)
    P = np.where(rng.random(Y.shape) < 0.7, (1 + noise) / (n_values + 3), 0)
    return sp.csr_matrix(P.astype(np.float32)), sp.csr_matrix(Y.astype(int))


def tuned(P, Y, **params):
    return TunedThresholdMultilabelClassifierCV(ScoresAsRows(), cv=2, **params).fit(P, Y)


def candidates(P):
    return [*np.unique(P.data), np.inf]


@pytest.mark.parametrize("average", ["micro", "macro", "samples"])
@given(seed=st.integers(0, 2**32 - 1))
def test_no_single_threshold_is_better(average, seed):
    P, Y = random_problem(seed)
    model = tuned(P, Y, average=average)
    dense = P.toarray()
    true = Y.toarray()
    scores = {t: quick_f1(true, (dense >= t) & (dense > 0), average) for t in candidates(P)}
    best = max(scores.values())
    assert model.best_score_ == pytest.approx(best)
    # Of equally good thresholds the highest.
    assert model.thresholds_[0] == max(t for t, score in scores.items() if score >= best - 1e-9)
    assert np.ptp(model.thresholds_) == 0 or np.isinf(model.thresholds_).all()
    assert f1(Y, model.predict(P).toarray(), average) == pytest.approx(best)


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("min_positives", [1, 4])
@given(seed=st.integers(0, 2**32 - 1))
def test_no_thresholds_of_labels_are_better(average, min_positives, seed):
    P, Y = random_problem(seed, n_rows=10, n_labels=3, n_values=3)
    model = tuned(P, Y, average=average, per_label=True, min_positives=min_positives)
    dense = P.toarray()
    true = Y.toarray()
    found = ((dense > 0) & (true > 0)).sum(axis=0)
    rare = np.flatnonzero(found < min_positives)
    best = 0
    for thresholds in itertools.product(candidates(P), repeat=3):
        if len({thresholds[label] for label in rare}) <= 1:
            best = max(best, quick_f1(true, (dense >= thresholds) & (dense > 0), average))
    assert model.best_score_ == pytest.approx(best)
    assert f1(Y, model.predict(P).toarray(), average) == pytest.approx(best)
    assert len(np.unique(model.thresholds_[rare])) <= 1


SETTINGS = [
    {"average": "micro"},
    {"average": "samples"},
    {"average": "macro"},
    {"average": "macro", "per_label": True, "min_positives": 4},
    {"average": "micro", "per_label": True, "min_positives": 4},
]


@pytest.mark.parametrize("params", SETTINGS, ids=str)
def test_order_of_labels_and_of_rows_does_not_matter(params):
    P, Y = random_problem(1, n_rows=300, n_labels=30, n_values=50)
    model = tuned(P, Y, **params)
    order = np.random.default_rng(0).permutation(30)
    shuffled = tuned(P[:, order], Y[:, order], **params)
    np.testing.assert_array_equal(shuffled.thresholds_, model.thresholds_[order])
    assert shuffled.best_score_ == pytest.approx(model.best_score_, abs=1e-12)
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_array_equal(
        tuned(P[order], Y[order], **params).thresholds_, model.thresholds_
    )


@pytest.mark.parametrize("params", SETTINGS, ids=str)
def test_dense_scores_and_dense_targets_are_the_same_problem(params):
    P, Y = random_problem(2, n_rows=100)
    model = tuned(P, Y, **params)
    for scores, targets in [(P.toarray(), Y.toarray()), (P.toarray(), Y), (P, Y.toarray())]:
        again = tuned(scores, targets, **params)
        np.testing.assert_array_equal(again.thresholds_, model.thresholds_)
        predicted = again.predict(scores)
        assert sp.issparse(predicted) == (sp.issparse(scores) or sp.issparse(targets))
        dense = predicted.toarray() if sp.issparse(predicted) else predicted
        np.testing.assert_array_equal(dense, model.predict(P).toarray())


def test_true_labels_outside_the_beam_count():
    # Label 0 alone would be predicted down to 0.1; three true labels that no score reaches do not
    # change which threshold is best for micro F1 here, but they lower the figure.
    P = sp.csr_array(np.array([[0.9, 0], [0.5, 0], [0.1, 0], [0, 0]], dtype=np.float32))
    Y = sp.csr_array(np.array([[1, 1], [0, 1], [1, 1], [0, 0]]))
    model = tuned(P, Y)
    assert model.thresholds_[0] == np.float32(0.1)
    assert model.best_score_ == pytest.approx(2 * 2 / (3 + 5))
    macro = tuned(P, Y, average="macro", per_label=True, min_positives=1)
    np.testing.assert_array_equal(macro.thresholds_, np.float32([0.1, np.inf]))
    assert macro.best_score_ == pytest.approx(0.8 / 2)


def test_one_held_out_part_counts_only_its_rows():
    P, Y = random_problem(3, n_rows=200)
    cv = ShuffleSplit(1, test_size=50, random_state=0)
    _, test = next(cv.split(P))
    part = TunedThresholdMultilabelClassifierCV(ScoresAsRows(), cv=cv).fit(P, Y)
    alone = tuned(P[test], Y[test])
    assert part.best_score_ == pytest.approx(alone.best_score_)
    np.testing.assert_array_equal(part.thresholds_, alone.thresholds_)


@pytest.mark.parametrize("params", SETTINGS, ids=str)
def test_nothing_to_find(params):
    P, Y = random_problem(4)
    for scores, targets in [(P, Y * 0), (P * 0, Y)]:
        model = tuned(scores, targets, **params)
        assert model.best_score_ == 0
        assert np.isinf(model.thresholds_).all()
        assert model.predict(P).nnz == 0


def test_a_frozen_estimator_is_not_fitted_again():
    P, Y = random_problem(5, n_rows=50)
    inner = ScoresAsRows().fit(P, Y)
    model = TunedThresholdMultilabelClassifierCV(FrozenEstimator(inner)).fit(P, Y)
    assert model.estimator_.estimator is inner
    np.testing.assert_array_equal(model.thresholds_, tuned(P, Y).thresholds_)


def test_samples_have_no_thresholds_of_labels():
    P, Y = random_problem(6)
    with pytest.raises(ValueError, match="per_label=True cannot go with average='samples'"):
        tuned(P, Y, average="samples", per_label=True)


def test_labels_gain_on_new_rows(xmc_data):
    X, Y = xmc_data
    raw = XRLinearClassifier(random_state=0).fit(X[:400], Y[:400])
    for params in SETTINGS:
        model = TunedThresholdMultilabelClassifierCV(clone(raw), cv=3, **params)
        model.fit(X[:400], Y[:400])
        before, after = (
            f1(Y[400:], m.predict(X[400:]).toarray(), params["average"]) for m in (raw, model)
        )
        assert after > before, params
        assert after == pytest.approx(model.best_score_, abs=0.1)
