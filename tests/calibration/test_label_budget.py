"""`choose_labels`: k labels per row for macro measures."""

from itertools import combinations, product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skxmr import XRLinearClassifier
from skxmr.calibration import CalibratedMultilabelClassifierCV, choose_labels
from skxmr.calibration._label_budget import _Candidates, _Coverage, _MacroF1, _recall_gains
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import coverage_at_k, macro_f1_at_k, precision_at_k, rank_labels

OBJECTIVES = ["macro_f1", "macro_recall", "coverage"]
MEASURES = {"macro_f1": _MacroF1, "coverage": _Coverage}


def make_probabilities(seed, n_rows=8, n_labels=6, density=0.7, dtype=np.float64):
    rng = np.random.default_rng(seed)
    P = rng.random((n_rows, n_labels)) * (rng.random((n_rows, n_labels)) < density)
    P[rng.random(P.shape) < 0.1] = 1.0
    return sp.csr_array(P.astype(dtype))


def candidates_of(P):
    return _Candidates(P.indptr.astype(np.int64), P.indices, P.data, P.shape[1])


def macro_recall(Y, scores, k):
    ranking = rank_labels(Y, scores, k)
    hits = np.bincount(ranking.top_labels[ranking.is_hit], minlength=Y.shape[1])
    n_true = np.asarray(Y.sum(axis=0)).ravel()
    return np.mean(hits[n_true > 0] / n_true[n_true > 0])


def objective_of(P, chosen, name):
    """Return the objective of a dense choice, computed from the definition."""
    P, total = P.toarray(), 0.0
    for p, is_chosen in zip(P.T, chosen.T.astype(bool), strict=True):
        selected, n_true = p[is_chosen], p.sum()
        if name == "macro_recall":
            total += np.sum(selected / (1 + n_true - selected))
        elif name == "coverage":
            total += 1 - np.prod(1 - selected)
        elif selected.sum():
            mean = np.sum(selected**2) / selected.sum()
            total += 2 * selected.sum() / (len(selected) + 1 + n_true - mean)
    return total


def all_choices(P, k):
    """Yield each indicator with `k` candidates per row, or with all candidates."""
    rows = [np.flatnonzero(row) for row in P.toarray()]
    for choice in product(*(combinations(row, min(k, len(row))) for row in rows)):
        chosen = np.zeros(P.shape)
        for row, labels in enumerate(choice):
            chosen[row, list(labels)] = 1
        yield chosen


@given(seed=st.integers(0, 2**32), k=st.integers(1, 2))
def test_macro_recall_choice_is_the_best_of_all(seed, k):
    P = make_probabilities(seed, n_rows=4, n_labels=4)
    chosen = choose_labels(P, k, objective="macro_recall").toarray()
    best = max(objective_of(P, each, "macro_recall") for each in all_choices(P, k))
    assert objective_of(P, chosen, "macro_recall") == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("objective", MEASURES)
@given(seed=st.integers(0, 2**32), k=st.integers(1, 2))
def test_choice_cannot_be_improved_in_one_row(objective, seed, k):
    P = make_probabilities(seed)
    chosen = choose_labels(P, k, objective=objective, tol=0, max_iter=100, random_state=0)
    chosen = chosen.toarray()
    value = objective_of(P, chosen, objective)
    for row in range(P.shape[0]):
        for other in all_choices(P[[row]], k):
            changed = chosen.copy()
            changed[row] = other
            assert objective_of(P, changed, objective) <= value + 1e-9


@pytest.mark.parametrize("objective", MEASURES)
@given(seed=st.integers(0, 2**32), k=st.integers(1, 3))
def test_sweeps_never_decrease_the_objective(objective, seed, k):
    P = make_probabilities(seed, n_rows=30, n_labels=20, density=0.3)
    P.data **= 4
    chosen = np.zeros(P.nnz, dtype=np.uint8)
    measure = MEASURES[objective](candidates_of(P), chosen)
    rng, values = np.random.default_rng(seed), [measure.recompute()]
    for _ in range(6):
        measure.sweep(rng.permutation(30), k)
        values.append(measure.recompute())
        indicator = sp.csr_array((chosen, P.indices, P.indptr), shape=P.shape).toarray()
        assert values[-1] == pytest.approx(objective_of(P, indicator, objective), abs=1e-9)
        assert np.array_equal(indicator.sum(axis=1), np.minimum(np.diff(P.indptr), k))
    assert np.all(np.diff(values) >= -1e-9)


@pytest.mark.parametrize("objective", OBJECTIVES)
@given(
    seed=st.integers(0, 2**32),
    k=st.integers(1, 9),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_choice_has_k_candidates_per_row(objective, seed, k, dtype):
    P = make_probabilities(seed, density=0.4, dtype=dtype)
    chosen = choose_labels(P, k, objective=objective, random_state=0)
    assert chosen.dtype == np.int8
    assert chosen.has_canonical_format
    assert np.array_equal(np.diff(chosen.indptr), np.minimum(np.diff(P.indptr), k))
    assert not np.any(chosen.toarray() & (P.toarray() == 0))
    again = choose_labels(P, k, objective=objective, random_state=0)
    assert (again != chosen).nnz == 0


def test_expected_f1_and_recall_are_close_to_simulated_values():
    P = make_probabilities(0, n_rows=300, n_labels=40, density=0.3)
    P.data *= 0.5
    candidates, rng = candidates_of(P), np.random.default_rng(1)
    dense = P.toarray()
    chosen = choose_labels(P, 2, random_state=0).toarray().astype(bool)
    measure = _MacroF1(candidates, (chosen[dense > 0]).astype(np.uint8))
    f1, recall = [], []
    for _ in range(100):
        Y = rng.random(P.shape) < dense
        hits, n_true = (Y & chosen).sum(axis=0), Y.sum(axis=0)
        f1.append(np.sum(2 * hits / np.maximum(chosen.sum(axis=0) + n_true, 1)))
        recall.append(np.sum(hits / np.maximum(n_true, 1)))
    assert measure.recompute() == pytest.approx(np.mean(f1), rel=0.02)
    expected = _recall_gains(candidates)[chosen[dense > 0]].sum()
    assert expected == pytest.approx(np.mean(recall), rel=0.02)


def test_measured_metrics_are_better_than_those_of_the_most_probable_labels():
    X, Y = make_extreme_multilabel(
        n_samples=4000, n_features=1500, n_labels=300, n_labels_per_sample=3, random_state=0
    )
    model = CalibratedMultilabelClassifierCV(
        XRLinearClassifier(max_leaf_size=20, random_state=0), cv=2
    ).fit(X[:2500], Y[:2500])
    P, Y = model.predict_proba(X[2500:]), Y[2500:]
    metrics = {"macro_f1": macro_f1_at_k, "macro_recall": macro_recall, "coverage": coverage_at_k}
    for objective, metric in metrics.items():
        chosen = choose_labels(P, 3, objective=objective, random_state=0)
        scores = P.multiply(chosen)
        assert metric(Y, scores, 3) > metric(Y, P, 3)
        assert precision_at_k(Y, scores, 3) < precision_at_k(Y, P, 3)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_choice_does_not_depend_on_the_container(objective):
    P = make_probabilities(3)
    expected = choose_labels(P, 2, objective=objective, random_state=0).toarray()
    rows, columns = P.nonzero()
    coo = sp.coo_array(
        (np.repeat(P.data / 2, 2), (np.repeat(rows, 2), np.repeat(columns, 2))), shape=P.shape
    )
    dense = P.toarray()
    dense[dense == 0] = np.finfo(np.float32).tiny  # as of dense predictions with a beam
    stored_zeros = sp.csr_array(np.ones(P.shape))
    stored_zeros.data = P.toarray().ravel()
    read_only = P.copy()
    read_only.indptr, read_only.indices = (
        array.astype(np.int64) for array in (P.indptr, P.indices)
    )
    for array in (read_only.data, read_only.indices, read_only.indptr):
        array.setflags(write=False)
    for other in (
        read_only,
        sp.csr_matrix(P),
        sp.csc_array(P),
        coo,
        dense,
        P.toarray().tolist(),
        stored_zeros,
    ):
        given = other.copy() if sp.issparse(other) else np.array(other)
        chosen = choose_labels(other, 2, objective=objective, random_state=0)
        assert np.array_equal(chosen.toarray(), expected)
        difference = other != given
        assert not (difference.nnz if sp.issparse(difference) else difference.any())
    assert stored_zeros.nnz == P.shape[0] * P.shape[1]


def test_rows_without_candidates_have_no_label():
    for objective in OBJECTIVES:
        assert choose_labels(sp.csr_array((3, 4)), 2, objective=objective).nnz == 0
        chosen = choose_labels(np.array([[0, 0.0], [0.3, 0.4]]), 1, objective=objective)
        assert chosen.toarray().tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"k": 0}, "'k' parameter of choose_labels must be an int in the range"),
        ({"objective": "precision"}, "'objective' parameter of choose_labels must be a str among"),
        ({"max_iter": 0}, "'max_iter' parameter"),
        ({"tol": -1.0}, "'tol' parameter"),
        ({"probabilities": [0.5, 0.5]}, r"a matrix of numbers .*; got shape \(2,\)"),
        (
            {"probabilities": [["a"]]},
            "a matrix of numbers .* dtype <U1. Pass the result of predict",
        ),
        ({"probabilities": [[0.5, 1.5]]}, r"probabilities must be in \[0, 1\]; got 1.5"),
        ({"probabilities": [[0.5, np.nan]]}, r"probabilities must be in \[0, 1\]; got nan"),
        ({"probabilities": sp.csr_array([[-0.5]])}, r"probabilities must be in .*; got -0.5"),
    ],
)
def test_choose_labels_raises_for_invalid_arguments(kwargs, message):
    arguments = {"probabilities": make_probabilities(0), "k": 1} | kwargs
    with pytest.raises(ValueError, match=message):
        choose_labels(**arguments)
