"""Losses and costs of the dual solver, compared with scikit-learn's solvers."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from helpers.one_cluster import make_cluster, solve

pytestmark = pytest.mark.usefixtures("simd")
LOSSES = ["squared_hinge", "hinge", "log_loss"]


def compute_losses(loss, margins):
    if loss == "log_loss":
        return np.logaddexp(0.0, -margins)
    slack = np.maximum(0.0, 1.0 - margins)
    return slack if loss == "hinge" else slack**2


def objective(loss, X, y, w, b, costs):
    return 0.5 * (w @ w + b * b) + costs @ compute_losses(loss, y * (X @ w + b))


def fit_reference(loss, X, y, costs):
    """Return (w, b) of scikit-learn's model."""
    if loss == "log_loss":
        model = LogisticRegression(solver="liblinear", tol=1e-10, max_iter=10**5)
    else:
        model = LinearSVC(loss=loss, tol=1e-9, max_iter=10**6)
    model.fit(X, y, sample_weight=costs)
    return model.coef_[0], model.intercept_[0]


def assert_optimal(loss, X, Y, W, b, costs):
    dense = X.toarray().astype(np.float64)
    for child in range(Y.shape[1]):
        y = np.where(Y[:, child], 1.0, -1.0)
        c = np.broadcast_to(costs, Y.shape)[:, child]
        ours = objective(loss, dense, y, W[:, child], b[child], c)
        theirs = objective(loss, dense, y, *fit_reference(loss, dense, y, c), c)
        assert ours == pytest.approx(theirs, rel=2e-4)


@pytest.mark.parametrize("C", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("loss", LOSSES)
def test_solve_reaches_the_optimum_of_every_loss(loss, C):
    X, Y = make_cluster(seed=4, n_children=3)
    W, b, n_iter = solve(X, Y, loss=loss, C=C, max_iter=20000)
    assert n_iter < 20000
    assert_optimal(loss, X, Y, W, b, np.full(Y.shape, C))


@pytest.mark.parametrize("n_children", [3, 21])
@pytest.mark.parametrize("loss", LOSSES)
def test_costs_of_rows_positives_and_pairs_are_multiplied(loss, n_children):
    X, Y = make_cluster(seed=5, n_children=n_children)
    rng = np.random.default_rng(0)
    rows, pairs = rng.uniform(0.2, 3.0, len(Y)), rng.uniform(0.2, 2.0, Y.shape)
    settings = {"loss": loss, "C": 0.7, "max_iter": 20000}
    for used in ({}, {"rows"}, {"positive"}, {"pairs"}, {"rows", "positive", "pairs"}):
        weight = 4.0 if "positive" in used else 1.0
        W, b, _ = solve(
            X,
            Y,
            costs=pairs if "pairs" in used else None,
            row_costs=rows if "rows" in used else None,
            positive_weight=weight,
            **settings,
        )
        costs = np.full(Y.shape, 0.7)
        costs *= np.where(Y, weight * (pairs if "pairs" in used else 1.0), 1.0)
        costs *= rows[:, None] if "rows" in used else 1.0
        checked = [0, 1, n_children - 1]
        assert_optimal(loss, X, Y[:, checked], W[:, checked], b[checked], costs[:, checked])


@pytest.mark.parametrize("loss", LOSSES)
def test_costs_of_1_are_equal_to_no_costs(loss):
    X, Y = make_cluster(n_children=20)
    plain = solve(X, Y, loss=loss, tol=0.1)
    for extra in ({"row_costs": np.ones(len(Y))}, {"costs": np.ones(Y.shape)}):
        weighted = solve(X, Y, loss=loss, tol=0.1, **extra)
        np.testing.assert_allclose(weighted.weights, plain.weights, atol=1e-5)
        np.testing.assert_allclose(weighted.intercepts, plain.intercepts, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_integer_row_costs_are_equal_to_repeated_rows(loss):
    X, Y = make_cluster(n_rows=60)
    n_times = np.random.default_rng(1).integers(1, 4, len(Y))
    W, b, _ = solve(X, Y, loss=loss, row_costs=n_times, tol=1e-6, max_iter=20000)
    repeated_rows = np.repeat(np.arange(len(Y)), n_times)
    expected, expected_b, _ = solve(
        sp.csr_array(X[repeated_rows]), Y[repeated_rows], loss=loss, tol=1e-6, max_iter=20000
    )
    np.testing.assert_allclose(W, expected, atol=2e-3 if loss == "hinge" else 2e-4)
    np.testing.assert_allclose(b, expected_b, atol=2e-3 if loss == "hinge" else 2e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_solve_reaches_small_tolerances_in_float64(loss):
    X, Y = make_cluster(n_rows=60, n_children=6, density=0.1)
    rng = np.random.default_rng(2)
    n_times, pairs = rng.integers(1, 4, len(Y)), rng.uniform(0.5, 2.0, Y.shape)
    settings = {"loss": loss, "tol": 1e-10, "max_iter": 10**6, "positive_weight": 2.0}
    W, b, _ = solve(X, Y, costs=pairs, row_costs=n_times, **settings)
    repeated_rows = np.repeat(np.arange(len(Y)), n_times)
    expected, expected_b, _ = solve(
        sp.csr_array(X[repeated_rows]), Y[repeated_rows], costs=pairs[repeated_rows], **settings
    )
    np.testing.assert_allclose(W, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(b, expected_b, rtol=1e-6, atol=1e-7)
    dense = X.toarray().astype(np.float64)
    costs = n_times[:, None] * np.where(Y, 2.0 * pairs.astype(np.float32), 1.0)
    for child in range(Y.shape[1]):
        y = np.where(Y[:, child], 1.0, -1.0)
        w, intercept = fit_reference(loss, dense, y, costs[:, child])
        ours = objective(loss, dense, y, W[:, child], b[child], costs[:, child])
        theirs = objective(loss, dense, y, w, intercept, costs[:, child])
        # Weights are stored as float32; the rounding of each margin changes the hinge loss.
        assert ours < theirs * (1 + 1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_solve_returns_finite_weights_for_rows_of_any_scale(loss):
    for scale in (1e-3, 1.0, 1e3):
        X, Y = make_cluster(n_rows=80, n_children=6)
        X.data *= np.float32(scale)
        for C in (1e-3, 1e3):
            W, b, _ = solve(X, Y, loss=loss, C=C, tol=0.01, max_iter=5000)
            assert np.all(np.isfinite(W))
            assert np.all(np.isfinite(b))
            dense = X.toarray().astype(np.float64)
            for child in range(Y.shape[1]):
                y = np.where(Y[:, child], 1.0, -1.0)
                ours = objective(loss, dense, y, W[:, child], b[child], np.full(len(y), C))
                at_zero = objective(loss, dense, y, 0.0 * W[:, child], 0.0, np.full(len(y), C))
                assert ours <= at_zero * (1 + 1e-6)
