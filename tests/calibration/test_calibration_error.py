"""Reliability of sparse scores, against scikit-learn's for a binary target."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.calibration import calibration_curve as binary_calibration_curve

from skxmr import XRLinearClassifier
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import _candidates, calibration_curve, expected_calibration_error


def pairs(seed=0, shape=(200, 30), density=0.4):
    rng = np.random.default_rng(seed)
    P = sp.random_array(shape, density=density, rng=rng, format="csr", dtype=np.float32)
    Y = (rng.random(shape) < P.toarray() ** 2).astype(int)
    Y[0, :] = 1  # true labels without a score too
    return sp.csr_array(Y), P


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("n_bins", [1, 7, 20])
@pytest.mark.parametrize("block", [2**17, 100])
def test_the_curve_is_the_binary_one_of_the_stored_pairs(strategy, n_bins, block, monkeypatch):
    monkeypatch.setattr(_candidates, "_BLOCK", block)
    Y, P = pairs()
    P.data[:50] = np.linspace(0.02, 1, 50)  # some on the edges
    stored = P.nonzero()
    y, p = Y.toarray()[stored], P.toarray()[stored].astype(float)
    want = binary_calibration_curve(y, p, n_bins=n_bins, strategy=strategy)
    got = calibration_curve(Y, P, n_bins=n_bins, strategy=strategy)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    edges = np.quantile(p, np.linspace(0, 1, n_bins + 1))
    edges = np.linspace(0, 1, n_bins + 1) if strategy == "uniform" else edges
    of_pair = np.digitize(p, edges[1:-1], right=True)
    want = sum(abs((y - p)[of_pair == b].sum()) for b in range(n_bins)) / len(p)
    got = expected_calibration_error(Y, P, n_bins=n_bins, strategy=strategy)
    assert got == pytest.approx(want, rel=1e-9)


def test_the_three_forms_of_scores():
    Y, P = pairs(density=1.0)
    dense = P.toarray()
    want = expected_calibration_error(Y, dense)
    assert expected_calibration_error(Y, P) == pytest.approx(want)
    labels = np.tile(np.arange(30), (200, 1))
    assert expected_calibration_error(Y, (labels, dense)) == pytest.approx(want)
    # Places without a label are no pairs.
    labels, scores = np.hstack([labels, labels]), np.hstack([dense, dense])
    labels[:, 30:], scores[:, 30:] = -1, -np.inf
    assert expected_calibration_error(Y, (labels, scores)) == pytest.approx(want)


def test_labels_drawn_with_their_scores_are_calibrated():
    rng = np.random.default_rng(0)
    P = sp.random_array((2000, 100), density=0.5, rng=rng, format="csr")
    Y = sp.csr_array((rng.random(P.shape) < P.toarray()).astype(int))
    assert expected_calibration_error(Y, P) < 0.01
    assert expected_calibration_error(Y, np.sqrt(P)) > 0.1


def test_bad_arguments():
    Y, P = pairs()
    for function in (calibration_curve, expected_calibration_error):
        for n_bins in (0, 2.0, True):
            with pytest.raises(ValueError, match=f"n_bins must be an integer .* got {n_bins}"):
                function(Y, P, n_bins=n_bins)
        with pytest.raises(ValueError, match="strategy must be one of .* got 'kmeans'"):
            function(Y, P, strategy="kmeans")
        with pytest.raises(ValueError, match=r"probabilities in \[0, 1\]"):
            function(Y, P * 2)
        with pytest.raises(ValueError, match="must have the shape"):
            function(Y, P[:, :5])
    assert np.isnan(expected_calibration_error(Y, P * 0))


def test_log_loss_and_sigmoids_are_calibrated_by_construction():
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
    # About as many labels are expected as there are.
    assert abs(scores.sum() / Y[6000:].sum() - 1) < 0.2
