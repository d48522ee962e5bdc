"""The solver of one cluster, with the squared hinge loss, against references and scikit-learn."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.svm import LinearSVC

from helpers import quick
from helpers.one_cluster import make_cluster, solve
from helpers.reference import best_uniform_duals, dual_objective, primal_objective, solve_svm
from skxmr._linear.simd.lanes import use_simd

pytestmark = pytest.mark.usefixtures("simd")


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_solve_reaches_the_objective_of_linear_svc_without_duality_gap(C, seed):
    X, Y = make_cluster(seed=seed)
    W, b, _ = solve(X, Y, C=C)
    dense = X.toarray().astype(np.float64)
    for child in range(Y.shape[1]):
        y = np.where(Y[:, child], 1.0, -1.0)
        ours = primal_objective(dense, y, W[:, child], b[child], C)
        # At the optimum the dual variables are 2 C * slack.
        a = 2.0 * C * np.maximum(0.0, 1.0 - y * (dense @ W[:, child] + b[child]))
        assert ours - dual_objective(dense, y, a, C) < 1e-4 * ours
        svc = LinearSVC(C=C, tol=1e-8, max_iter=10**5).fit(dense, y)
        theirs = primal_objective(dense, y, svc.coef_[0], svc.intercept_[0], C)
        assert ours == pytest.approx(theirs, rel=1e-5)
        np.testing.assert_allclose(W[:, child], svc.coef_[0], atol=1e-4 * C)
        np.testing.assert_allclose(b[child], svc.intercept_[0], atol=1e-4 * C)


def test_solve_with_default_tolerance_is_within_1_percent_of_the_optimum():
    X, Y = make_cluster(n_rows=400)
    dense = X.toarray().astype(np.float64)
    loose, tight = solve(X, Y, tol=0.1, max_iter=100), solve(X, Y)
    for child in range(Y.shape[1]):
        y = np.where(Y[:, child], 1.0, -1.0)
        objective = [
            primal_objective(dense, y, W[:, child], b[child], 1.0) for W, b, _ in (loose, tight)
        ]
        assert objective[0] < 1.01 * objective[1]


@pytest.mark.parametrize("tol", quick.first(1, [0.01, 0.1, 0.001]))
def test_solve_is_as_close_to_a_scalar_solver_as_the_tolerance_implies(tol):
    # If all gradients g have |g| <= tol, a row adds at most 2 C tol^2 to the duality gap: C g^2 if
    # its margin is below 1, otherwise its dual, which is at most 2 C tol, multiplied by g.
    X, Y = make_cluster(n_children=20, seed=3)
    dense = X.toarray().astype(np.float64)
    W, b, _ = solve(X, Y, tol=tol, max_iter=1000)
    for child in range(Y.shape[1]):
        y = np.where(Y[:, child], 1.0, -1.0)
        ours = primal_objective(dense, y, W[:, child], b[child], 1.0)
        scalar = primal_objective(dense, y, *solve_svm(dense, y, 1.0, tol), 1.0)
        assert abs(ours - scalar) <= 2 * len(y) * tol**2


def test_initial_duals_are_the_best_uniform_ones():
    X, Y = make_cluster(n_children=20, seed=1)
    Y[:, 3] = np.arange(len(Y)) < 60
    Y[:, 4] = True
    W, b, n_iter = solve(X, Y, max_iter=0)
    assert n_iter == 0
    dense = X.toarray().astype(np.float64)
    for child in range(Y.shape[1]):
        y = np.where(Y[:, child], 1.0, -1.0)
        # w = a P - b N, including the intercept: the two numbers a, b determine all weights.
        sums = np.array([dense[y > 0].sum(axis=0), -dense[y < 0].sum(axis=0)])
        sums = np.column_stack([sums, [np.sum(y > 0), -np.sum(y < 0)]])
        weights = np.append(W[:, child], b[child])
        a = np.linalg.lstsq(sums.T, weights)[0]
        np.testing.assert_allclose(a @ sums, weights, atol=1e-5)
        assert np.all(a > -1e-7)
        if child != 4:
            initial = dual_objective(dense, y, np.where(y > 0, *a), 1.0)
            assert initial == pytest.approx(best_uniform_duals(dense, y, 1.0), rel=1e-4)


def test_initial_duals_are_zero_if_sums_overflow():
    X, Y = make_cluster(n_rows=40, n_features=5, n_children=3, density=1.0)
    X.data[:] = 3e38
    W, b, _ = solve(X, Y, max_iter=0)
    assert not W.any()
    assert not b.any()


def test_solve_trains_more_children_than_lanes_as_if_alone():
    X, Y = make_cluster(n_children=37)
    Y[:, 5] = False
    Y[:, 6] = True
    W, b, _ = solve(X, Y)
    assert b[5] < -100
    assert not W[:, 5].any()
    for child in (0, 5, 6, 20, 36):
        alone, alone_b, _ = solve(X, Y[:, [child]])
        np.testing.assert_allclose(W[:, [child]], alone, atol=1e-4)
        np.testing.assert_allclose(b[child], alone_b[0], atol=1e-4)


def test_solve_agrees_between_instruction_sets():
    X, Y = make_cluster(n_children=20)
    W, b, _ = solve(X, Y)
    use_simd("baseline")
    expected, expected_b, _ = solve(X, Y)
    np.testing.assert_allclose(W, expected, atol=1e-4)
    np.testing.assert_allclose(b, expected_b, atol=1e-4)


def test_solve_ignores_rows_outside_the_cluster():
    X, Y = make_cluster()
    rows = np.sort(np.random.default_rng(0).permutation(120)[:50])
    inside = np.zeros_like(Y)
    inside[rows] = Y[rows]
    W, b, _ = solve(X, inside, rows=rows)
    alone, alone_b, _ = solve(sp.csr_array(X[rows]), Y[rows])
    np.testing.assert_array_equal(W, alone)
    np.testing.assert_array_equal(b, alone_b)
    # Positive rows that are not in `rows` are ignored.
    W, b, _ = solve(X, Y, rows=rows)
    np.testing.assert_array_equal(W, alone)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(data=st.data())
def test_solve_reaches_the_optimum_of_any_small_cluster(data):
    n, d, n_children = (data.draw(st.integers(1, 8)) for _ in range(3))
    cells = st.lists(st.sampled_from([0, 0, 0, 1, -1, 2]), min_size=n * d, max_size=n * d)
    dense = np.array(data.draw(cells), dtype=np.float64).reshape(n, d)
    Y = np.array(
        data.draw(st.lists(st.booleans(), min_size=n * n_children, max_size=n * n_children))
    ).reshape(n, n_children)
    W, b, _ = solve(sp.csr_array(dense.astype(np.float32)), Y, tol=1e-5, max_iter=20000)
    for child in np.flatnonzero(Y.any(axis=0)):
        y = np.where(Y[:, child], 1.0, -1.0)
        ours = primal_objective(dense, y, W[:, child], b[child], 1.0)
        a = 2.0 * np.maximum(0.0, 1.0 - y * (dense @ W[:, child] + b[child]))
        assert ours - dual_objective(dense, y, a, 1.0) < 1e-4 * max(ours, 1e-3)


def test_solve_continues_if_all_gradients_of_the_first_sweep_are_equal():
    # In one order of visits, the gradient of each of the three rows is -1 when it is visited.
    dense = np.array([[-1, 0, -1, 2, 0], [1, 0, 0, 0, 0], [0, 0, 2, 2, 0]], dtype=np.float64)
    y = np.array([-1.0, 1.0, -1.0])
    for seed in range(20):
        W, b, _ = solve(sp.csr_array(dense.astype(np.float32)), y[:, None] > 0, seed=seed)
        ours = primal_objective(dense, y, W[:, 0], b[0], 1.0)
        a = 2.0 * np.maximum(0.0, 1.0 - y * (dense @ W[:, 0] + b[0]))
        assert ours - dual_objective(dense, y, a, 1.0) < 1e-4 * ours


def test_weight_threshold_drops_small_weights_and_changes_no_others():
    X, Y = make_cluster()
    full, b, _ = solve(X, Y, tol=0.1)
    pruned, pruned_b, _ = solve(X, Y, tol=0.1, weight_threshold=0.2)
    np.testing.assert_array_equal(pruned, np.where(np.abs(full) >= 0.2, full, 0.0))
    np.testing.assert_array_equal(pruned_b, b)
    nothing, _, _ = solve(X, Y, tol=0.1, weight_threshold=1e9)
    assert not nothing.any()


def test_max_iter_limits_the_number_of_sweeps():
    X, Y = make_cluster()
    assert solve(X, Y, max_iter=3).n_iter == 3
    assert 1 <= solve(X, Y, tol=0.1, max_iter=100).n_iter < 100


def test_solve_is_deterministic_for_a_given_seed():
    X, Y = make_cluster()
    one, two, other = solve(X, Y, tol=0.1), solve(X, Y, tol=0.1), solve(X, Y, tol=0.1, seed=1)
    np.testing.assert_array_equal(one.weights, two.weights)
    assert np.any(one.weights != other.weights)


def test_solve_accepts_no_rows_and_empty_rows():
    X, Y = make_cluster()
    W, b, _ = solve(X, Y[:, :2] & False, rows=np.arange(0))
    assert not W.any()
    assert np.all(b < -100)
    empty = sp.csr_array((4, 10), dtype=np.float32)
    W, b, _ = solve(empty, np.array([[True], [True], [True], [False]]))
    assert not W.any()
    assert b[0] > 0
