"""`TunedThresholdMultilabelClassifierCV`: compared with a search over all thresholds."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import f1_score
from sklearn.model_selection import ShuffleSplit

from skxmr import XRLinearClassifier
from skxmr.calibration import TunedThresholdMultilabelClassifierCV


class IdentityScorer(ClassifierMixin, BaseEstimator):
    """Classifier that returns its input X as scores."""

    def fit(self, X, y):
        self.classes_ = np.arange(y.shape[1])
        return self

    def predict_proba(self, X):
        return X


def f1(Y, predicted, average):
    return f1_score(Y.toarray(), predicted, average=average, zero_division=0)


def fast_f1(Y, predicted, average):
    """Return F1 faster than scikit-learn, for loops over all thresholds."""
    axis = {"micro": None, "macro": 0, "samples": 1}[average]
    hits, size = (Y * predicted).sum(axis), Y.sum(axis) + predicted.sum(axis)
    return np.mean(2 * hits / np.maximum(size, 1))


def random_problem(seed, n_rows=12, n_labels=5, n_values=6):
    """Return sparse scores with many ties, and labels that correlate with them."""
    rng = np.random.default_rng(seed)
    Y = rng.random((n_rows, n_labels)) < rng.uniform(0.1, 0.6, n_labels)
    noise = rng.integers(0, n_values, Y.shape) + 2 * Y * (rng.random(Y.shape) < 0.7)
    P = np.where(rng.random(Y.shape) < 0.7, (1 + noise) / (n_values + 3), 0)
    return sp.csr_matrix(P.astype(np.float32)), sp.csr_matrix(Y.astype(int))


def assume_both_halves_have_labels(Y):
    """Reject the example if a fold has no labels in its training rows, because it is skipped."""
    half = Y.shape[0] // 2
    assume(Y[:half].nnz and Y[half:].nnz)


def fit_tuned(P, Y, **params):
    return TunedThresholdMultilabelClassifierCV(IdentityScorer(), cv=2, **params).fit(P, Y)


def list_thresholds(P):
    return [*np.unique(P.data), np.inf]


@pytest.mark.parametrize("average", ["micro", "macro", "samples"])
@given(seed=st.integers(0, 2**32 - 1))
def test_shared_threshold_is_the_best_of_all(average, seed):
    P, Y = random_problem(seed)
    assume_both_halves_have_labels(Y)
    model = fit_tuned(P, Y, average=average)
    dense = P.toarray()
    true = Y.toarray()
    scores = {t: fast_f1(true, (dense >= t) & (dense > 0), average) for t in list_thresholds(P)}
    best = max(scores.values())
    assert model.best_score_ == pytest.approx(best)
    # The highest of equally good thresholds.
    assert model.thresholds_[0] == max(t for t, score in scores.items() if score >= best - 1e-9)
    assert np.ptp(model.thresholds_) == 0 or np.isinf(model.thresholds_).all()
    assert f1(Y, model.predict(P).toarray(), average) == pytest.approx(best)


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("min_positives", [1, 4])
@given(seed=st.integers(0, 2**32 - 1))
def test_label_thresholds_are_the_best_of_all(average, min_positives, seed):
    P, Y = random_problem(seed, n_rows=10, n_labels=3, n_values=3)
    assume_both_halves_have_labels(Y)
    model = fit_tuned(P, Y, average=average, per_label=True, min_positives=min_positives)
    dense = P.toarray()
    true = Y.toarray()
    n_scored_true = ((dense > 0) & (true > 0)).sum(axis=0)
    rare = np.flatnonzero(n_scored_true < min_positives)
    best = 0
    for thresholds in itertools.product(list_thresholds(P), repeat=3):
        if len({thresholds[label] for label in rare}) <= 1:
            best = max(best, fast_f1(true, (dense >= thresholds) & (dense > 0), average))
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
def test_thresholds_do_not_depend_on_order_of_labels_and_rows(params):
    P, Y = random_problem(1, n_rows=300, n_labels=30, n_values=50)
    model = fit_tuned(P, Y, **params)
    order = np.random.default_rng(0).permutation(30)
    shuffled = fit_tuned(P[:, order], Y[:, order], **params)
    np.testing.assert_array_equal(shuffled.thresholds_, model.thresholds_[order])
    assert shuffled.best_score_ == pytest.approx(model.best_score_, abs=1e-12)
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_array_equal(
        fit_tuned(P[order], Y[order], **params).thresholds_, model.thresholds_
    )


@pytest.mark.parametrize("params", SETTINGS, ids=str)
def test_thresholds_are_equal_for_dense_scores_and_targets(params):
    P, Y = random_problem(2, n_rows=100)
    model = fit_tuned(P, Y, **params)
    for scores, targets in [(P.toarray(), Y.toarray()), (P.toarray(), Y), (P, Y.toarray())]:
        again = fit_tuned(scores, targets, **params)
        np.testing.assert_array_equal(again.thresholds_, model.thresholds_)
        predicted = again.predict(scores)
        assert sp.issparse(predicted) == (sp.issparse(scores) or sp.issparse(targets))
        dense = predicted.toarray() if sp.issparse(predicted) else predicted
        np.testing.assert_array_equal(dense, model.predict(P).toarray())


def test_best_score_counts_true_labels_without_a_score():
    # The true labels without a score do not change the best threshold, but lower the F1.
    P = sp.csr_array(np.array([[0.9, 0], [0.5, 0], [0.1, 0], [0, 0]], dtype=np.float32))
    Y = sp.csr_array(np.array([[1, 1], [0, 1], [1, 1], [0, 0]]))
    model = fit_tuned(P, Y)
    assert model.thresholds_[0] == np.float32(0.1)
    assert model.best_score_ == pytest.approx(2 * 2 / (3 + 5))
    macro = fit_tuned(P, Y, average="macro", per_label=True, min_positives=1)
    np.testing.assert_array_equal(macro.thresholds_, np.float32([0.1, np.inf]))
    assert macro.best_score_ == pytest.approx(0.8 / 2)


def test_fit_with_one_split_uses_only_its_held_out_rows():
    P, Y = random_problem(3, n_rows=200)
    cv = ShuffleSplit(1, test_size=50, random_state=0)
    _, test = next(cv.split(P))
    one_split = TunedThresholdMultilabelClassifierCV(IdentityScorer(), cv=cv).fit(P, Y)
    only_test_rows = fit_tuned(P[test], Y[test])
    assert one_split.best_score_ == pytest.approx(only_test_rows.best_score_)
    np.testing.assert_array_equal(one_split.thresholds_, only_test_rows.thresholds_)


@pytest.mark.parametrize("params", SETTINGS, ids=str)
def test_thresholds_are_infinite_without_true_pairs(params):
    P, Y = random_problem(4)
    model = fit_tuned(P * 0, Y, **params)
    assert model.best_score_ == 0
    assert np.isinf(model.thresholds_).all()
    assert model.predict(P).nnz == 0


def test_frozen_estimator_is_not_refitted():
    P, Y = random_problem(5, n_rows=50)
    inner = IdentityScorer().fit(P, Y)
    model = TunedThresholdMultilabelClassifierCV(FrozenEstimator(inner)).fit(P, Y)
    assert model.estimator_.estimator is inner
    np.testing.assert_array_equal(model.thresholds_, fit_tuned(P, Y).thresholds_)


def test_per_label_cannot_be_combined_with_samples():
    P, Y = random_problem(6)
    with pytest.raises(ValueError, match="average must be .* if per_label=True; got 'samples'"):
        fit_tuned(P, Y, average="samples", per_label=True)


def test_f1_increases_on_new_rows(xmc_data):
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
