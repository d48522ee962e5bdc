"""`CalibratedMultilabelClassifierCV`: probabilities match frequencies and preserve rankings."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from helpers import quick
from skxmr import XRLinearClassifier
from skxmr.calibration import CalibratedMultilabelClassifierCV
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import expected_calibration_error

METHODS = ["isotonic", "sigmoid"]


class IdentityScorer(ClassifierMixin, BaseEstimator):
    """Classifier that returns its input X as scores."""

    def fit(self, X, y):
        self.classes_ = np.arange(y.shape[1])
        return self

    def predict_proba(self, X):
        return X


def make_distorted_scores(slope, intercept, seed=0, n_rows=3000, n_labels=40):
    """Return distorted scores, labels, and the true probabilities of the labels."""
    rng = np.random.default_rng(seed)
    X = sp.random_array((n_rows, n_labels), density=0.5, rng=rng, format="csr", dtype=np.float32)
    X.data = expit(rng.normal(-2, 2, X.nnz)).astype(np.float32)
    true_proba = X.copy()
    true_proba.data = expit(slope * logit(X.data.astype(float)) + intercept)
    Y = X.copy()
    Y.data = (rng.random(X.nnz) < true_proba.data).astype(int)
    return X, Y, true_proba


def make_calibrated(estimator=None, **params):
    return CalibratedMultilabelClassifierCV(estimator or IdentityScorer(), **params)


@pytest.fixture(scope="module")
def extreme():
    X, Y = make_extreme_multilabel(n_samples=3000, n_features=3000, n_labels=400, random_state=0)
    return X[:2000], Y[:2000], X[2000:], Y[2000:]


@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (0.5, 0.3), (2, -1), (0.3, -2)])
def test_fit_recovers_known_distortion(slope, intercept):
    X, Y, true_proba = make_distorted_scores(slope, intercept)
    model = make_calibrated(method="sigmoid").fit(X, Y)
    assert model.calibrator_.slope == pytest.approx(slope, abs=0.05)
    assert model.calibrator_.intercept == pytest.approx(intercept, abs=0.1)
    np.testing.assert_allclose(model.predict_proba(X).data, true_proba.data, atol=0.02)
    isotonic = make_calibrated(method="isotonic").fit(X, Y).predict_proba(X).data
    assert np.abs(isotonic - true_proba.data).mean() < 0.02


def test_sigmoid_equals_logistic_regression_on_pairs():
    X, Y, _ = make_distorted_scores(0.7, -0.5, n_rows=300)
    hits = np.asarray(Y.toarray()[X.nonzero()]).astype(float)
    x = logit(X.toarray()[X.nonzero()].astype(float))[:, None]
    n_true, n_false = hits.sum(), len(hits) - hits.sum()
    platt = np.where(hits == 1, (n_true + 1) / (n_true + 2), 1 / (n_false + 2))
    # Each pair is both a true and a false sample, weighted by Platt's targets.
    samples, target = np.vstack([x, x]), np.repeat([1, 0], len(x))
    expected = LogisticRegression(C=1e300, tol=1e-8, solver="newton-cholesky").fit(
        samples, target, sample_weight=np.concatenate([platt, 1 - platt])
    )
    model = make_calibrated(method="sigmoid").fit(X, Y)
    np.testing.assert_allclose(
        model.predict_proba(X).data, expected.predict_proba(x)[:, 1], rtol=2e-3, atol=1e-5
    )


def test_isotonic_equals_isotonic_regression_on_pairs():
    X, Y, _ = make_distorted_scores(0.7, -0.5, n_rows=300)
    values = np.linspace(0.02, 0.98, 60, dtype=np.float32)
    X.data = values[np.abs(X.data[:, None] - values).argmin(axis=1)]
    hits = np.asarray(Y.toarray()[X.nonzero()]).astype(float)
    # As in the implementation: half a true pair at the lowest score, half a false pair at the
    # highest.
    regression = IsotonicRegression().fit(
        np.append(X.data, [values[0], values[-1]]),
        np.append(hits, [1, 0]),
        sample_weight=np.append(np.ones(X.nnz), [0.5, 0.5]),
    )
    expected = regression.predict(X.data)
    assert len(np.unique(expected)) > 15
    proba = make_calibrated(method="isotonic").fit(X, Y).predict_proba(X).data
    # The tie break mixes in a thousandth of the logarithm of the score.
    np.testing.assert_allclose(proba, expected, rtol=0.003)


@pytest.mark.parametrize("method", METHODS)
def test_predict_proba_preserves_ranking(method):
    X, Y, _ = make_distorted_scores(0.5, 0)
    proba = make_calibrated(method=method).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(proba.indices, X.indices)
    np.testing.assert_array_equal(proba.indptr, X.indptr)
    order = np.argsort(X.data)
    assert np.all(np.diff(proba.data[order].astype(float)) >= 0)
    # Scores that differ by 0.1 % have different probabilities, even within a step.
    is_different = X.data[order][1000::1000] > 1.001 * X.data[order][:-1000:1000]
    assert is_different.sum() > 50
    assert np.all(np.diff(proba.data[order][::1000].astype(float))[is_different] > 0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("label_value", [0, 1])
def test_predict_proba_is_between_zero_and_one_for_extreme_scores(method, label_value):
    scores = [1.0, 1 - 2.0**-24, 0.5, 1e-7, 1e-30, np.finfo(np.float32).tiny * 2]
    X = sp.csr_array(np.array([scores] * 4, dtype=np.float32))
    Y = np.full(X.shape, label_value)
    Y[0] = 1  # at least one label is needed
    Y = sp.csr_array(Y)
    proba = make_calibrated(method=method, cv=2).fit(X, Y).predict_proba(X)
    assert proba.nnz == X.nnz
    assert np.all((proba.data > 0) & (proba.data < 1))
    assert np.all(np.diff(proba.toarray(), axis=1) <= 0)
    proba = make_calibrated(method=method, cv=2).fit(X * 0, Y).predict_proba(X)
    assert np.all((proba.data > 0) & (proba.data < 1))


def test_sigmoid_is_constant_for_inverse_scores():
    X, Y, _ = make_distorted_scores(-1, 0)
    model = make_calibrated(method="sigmoid").fit(X, Y)
    assert model.calibrator_.slope == 0
    np.testing.assert_allclose(model.predict_proba(X).data, Y.sum() / X.nnz, rtol=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_calibration_error_decreases_on_new_rows(method, extreme):
    X, Y, X_new, Y_new = extreme
    raw = XRLinearClassifier(random_state=0).fit(X, Y)
    model = make_calibrated(raw, method=method, cv=3).fit(X, Y)
    for k in (1, 5):
        before, after = (
            expected_calibration_error(Y_new, m.predict_topk(X_new, k)) for m in (raw, model)
        )
        assert after < (0.6 if method == "isotonic" else 0.9) * before
    before, after = (
        expected_calibration_error(Y_new, m.predict_proba(X_new)) for m in (raw, model)
    )
    assert after < 0.5 * before


@pytest.mark.parametrize("method", METHODS)
def test_predict_topk_has_labels_of_estimator_and_calibrated_probabilities(method, extreme):
    X, Y, X_new, _ = extreme
    model = make_calibrated(XRLinearClassifier(beam_width=1, random_state=0), method=method, cv=2)
    model.fit(X, Y)
    labels, scores = model.predict_topk(X_new, k=300)
    np.testing.assert_array_equal(labels, model.estimator_.predict_topk(X_new, k=300)[0])
    proba = model.predict_proba(X_new).toarray()
    is_label = labels >= 0
    assert 0 < is_label.mean() < 1
    assert np.all(scores[~is_label] == -np.inf)
    expected = np.take_along_axis(proba, np.maximum(labels, 0), 1)
    np.testing.assert_array_equal(scores[is_label], expected[is_label])
    assert scores.dtype == proba.dtype == np.float32
    predicted = model.predict(X_new)
    np.testing.assert_array_equal(predicted.toarray(), proba >= 0.5)
    assert predicted.dtype == Y.dtype
    assert predicted.nnz > 0


class LogTopK(XRLinearClassifier):
    """Classifier whose predict_topk returns logarithms of the probabilities."""

    def predict_topk(self, X, k=10):
        labels, scores = super().predict_topk(X, k)
        return labels, np.log(np.maximum(scores, 1e-38))


def test_predict_topk_uses_predict_proba_if_topk_scores_differ(extreme):
    X, Y, X_new, _ = extreme
    plain, logs = (
        make_calibrated(cls(beam_width=1, random_state=0), cv=2).fit(X, Y)
        for cls in (XRLinearClassifier, LogTopK)
    )
    for array, expected in zip(
        logs.predict_topk(X_new, 300), plain.predict_topk(X_new, 300), strict=True
    ):
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("method", quick.first(1, METHODS))
def test_predictions_are_dense_for_dense_targets(method, extreme):
    X, Y, X_new, _ = extreme
    estimator = XRLinearClassifier(beam_width=2, random_state=0)
    sparse = make_calibrated(estimator, method=method, cv=2).fit(X, Y)
    dense = make_calibrated(estimator, method=method, cv=2).fit(X, Y.toarray())
    proba, expected = dense.predict_proba(X_new), sparse.predict_proba(X_new).toarray()
    assert np.all((proba > 0) & (proba < 1))
    np.testing.assert_allclose(proba, expected, atol=1e-6)
    np.testing.assert_array_equal(dense.predict(X_new), sparse.predict(X_new).toarray())
    assert isinstance(dense.predict(X_new), np.ndarray)
    # The parameter of the estimator takes precedence.
    model = make_calibrated(estimator.set_params(sparse_output=True), method=method, cv=2)
    assert sp.issparse(model.fit(X, Y.toarray()).predict(X_new))


def test_predict_proba_is_dense_if_estimator_returns_dense(xmc_data):
    X, Y = xmc_data
    Y = Y[:, np.asarray(Y.sum(axis=0)).ravel() >= 60]
    inner = OneVsRestClassifier(LogisticRegression(C=100, solver="newton-cholesky"))
    model = make_calibrated(inner, cv=2).fit(X[:400], Y[:400])
    proba = model.predict_proba(X[400:])
    assert isinstance(proba, np.ndarray)
    assert sp.issparse(model.predict(X[400:]))
    inner.fit(X[:400], Y[:400])
    before, after = (
        expected_calibration_error(Y[400:], p) for p in (inner.predict_proba(X[400:]), proba)
    )
    assert after < before
    assert not hasattr(model, "predict_topk")


def test_fit_of_frozen_estimator_uses_all_given_rows(extreme):
    X, Y, X_new, Y_new = extreme
    inner = XRLinearClassifier(random_state=0).fit(X, Y)
    model = make_calibrated(FrozenEstimator(inner)).fit(X_new[:500], Y_new[:500])
    assert model.estimator_.estimator is inner
    before, after = (
        expected_calibration_error(Y_new[500:], m.predict_topk(X_new[500:], 5))
        for m in (inner, model)
    )
    assert after < 0.6 * before


def test_sigmoid_of_calibrated_scores_is_identity():
    X, Y, true_proba = make_distorted_scores(0.5, -1)
    once = make_calibrated(method="sigmoid").fit(X, Y).predict_proba(X)
    again = make_calibrated(method="sigmoid").fit(once, Y)
    assert again.calibrator_.slope == pytest.approx(1, abs=0.01)
    assert again.calibrator_.intercept == pytest.approx(0, abs=0.02)
    assert true_proba.nnz == once.nnz
