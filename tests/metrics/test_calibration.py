"""Calibration metrics of sparse scores, compared with scikit-learn on a binary target."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.calibration import calibration_curve as binary_calibration_curve

from skxmr import XRLinearClassifier
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import _candidates, calibration_curve, expected_calibration_error


def make_scored_labels(seed=0, shape=(200, 30), density=0.4):
    rng = np.random.default_rng(seed)
    P = sp.random_array(shape, density=density, rng=rng, format="csr", dtype=np.float32)
    Y = (rng.random(shape) < P.toarray() ** 2).astype(int)
    Y[0, :] = 1  # some true labels have no score
    return sp.csr_array(Y), P


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("n_bins", [1, 7, 20])
@pytest.mark.parametrize("block_size", [2**17, 100])
def test_calibration_metrics_equal_binary_metrics_of_stored_pairs(
    strategy, n_bins, block_size, monkeypatch
):
    monkeypatch.setattr(_candidates, "_CANDIDATES_PER_BLOCK", block_size)
    Y, P = make_scored_labels()
    P.data[:50] = np.linspace(0.02, 1, 50)  # some scores on edges of bins
    stored = P.nonzero()
    y, p = Y.toarray()[stored], P.toarray()[stored].astype(float)
    expected = binary_calibration_curve(y, p, n_bins=n_bins, strategy=strategy)
    value = calibration_curve(Y, P, n_bins=n_bins, strategy=strategy)
    for a, b in zip(value, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    edges = np.quantile(p, np.linspace(0, 1, n_bins + 1))
    edges = np.linspace(0, 1, n_bins + 1) if strategy == "uniform" else edges
    bin_of_pair = np.digitize(p, edges[1:-1], right=True)
    expected = sum(abs((y - p)[bin_of_pair == b].sum()) for b in range(n_bins)) / len(p)
    value = expected_calibration_error(Y, P, n_bins=n_bins, strategy=strategy)
    assert value == pytest.approx(expected, rel=1e-9)


def test_calibration_error_is_equal_for_all_forms_of_scores():
    Y, P = make_scored_labels(density=1.0)
    dense = P.toarray()
    expected = expected_calibration_error(Y, dense)
    assert expected_calibration_error(Y, P) == pytest.approx(expected)
    labels = np.tile(np.arange(30), (200, 1))
    assert expected_calibration_error(Y, (labels, dense)) == pytest.approx(expected)
    # Places with label -1 are ignored.
    labels, scores = np.hstack([labels, labels]), np.hstack([dense, dense])
    labels[:, 30:], scores[:, 30:] = -1, -np.inf
    assert expected_calibration_error(Y, (labels, scores)) == pytest.approx(expected)


def test_calibration_error_of_true_probabilities_is_small():
    rng = np.random.default_rng(0)
    P = sp.random_array((2000, 100), density=0.5, rng=rng, format="csr")
    Y = sp.csr_array((rng.random(P.shape) < P.toarray()).astype(int))
    assert expected_calibration_error(Y, P) < 0.01
    assert expected_calibration_error(Y, np.sqrt(P)) > 0.1


def test_calibration_metrics_raise_for_invalid_arguments():
    Y, P = make_scored_labels()
    for function in (calibration_curve, expected_calibration_error):
        for n_bins in (0, 2.0, True):
            with pytest.raises(ValueError, match=f"n_bins must be a positive .*; got {n_bins}"):
                function(Y, P, n_bins=n_bins)
        with pytest.raises(ValueError, match="strategy must be one of .*; got 'kmeans'"):
            function(Y, P, strategy="kmeans")
        with pytest.raises(ValueError, match=r"y_score must contain probabilities in \[0, 1\]"):
            function(Y, P * 2)
        with pytest.raises(ValueError, match=r"y_score must have .*; got shape \(200, 5\)"):
            function(Y, P[:, :5])
    assert np.isnan(expected_calibration_error(Y, P * 0))


def test_calibration_error_of_log_loss_with_sigmoid_is_smaller_than_of_hinge():
    X, Y = make_extreme_multilabel(
        n_samples=8000, n_features=2000, n_labels=300, n_labels_per_sample=3, random_state=0
    )
    plain = {"positive_weight": 1.0, "relevance_norm": None, "random_state": 0}
    hinge = XRLinearClassifier(max_leaf_size=20, **plain)
    logistic = XRLinearClassifier(
        max_leaf_size=20, loss="log_loss", C=3.0, score_transform="sigmoid", **plain
    )
    errors = []
    for model in (hinge, logistic):
        scores = model.fit(X[:6000], Y[:6000]).predict_proba(X[6000:])
        errors.append(expected_calibration_error(Y[6000:], scores))
    assert errors[1] < 0.3 * errors[0]
    # The sum of the probabilities is close to the number of true labels.
    assert abs(scores.sum() / Y[6000:].sum() - 1) < 0.2
