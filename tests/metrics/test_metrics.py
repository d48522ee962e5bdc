"""The metrics against slow, obviously right ones in plain Python; the scorers in scikit-learn."""

import math
import pickle
import tracemalloc
from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.metrics import check_scoring, ndcg_score, top_k_accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from skxmr.metrics import (
    _candidates,
    label_propensities,
    ndcg_at_k,
    precision_at_k,
    psndcg_at_k,
    psprecision_at_k,
    recall_at_k,
    topk_scorer,
)

PLAIN = {"precision": precision_at_k, "recall": recall_at_k, "ndcg": ndcg_at_k}
SCORED = {"psprecision": psprecision_at_k, "psndcg": psndcg_at_k}
INF = float("inf")


# ------------------------------------------------------------------------------ the oracle


def naive(metric, truth, candidates, k, propensities):
    """`truth`: a set of labels for each row; `candidates`: a dict label -> score for each row."""
    values, best_values = [], []
    for true, scores in zip(truth, candidates, strict=True):
        order = sorted((-score, label) for label, score in scores.items() if score > -INF)
        ranked = [label for _, label in order][:k]
        places = [1 / math.log2(r + 2) for r in range(min(k, len(true)))]
        rarest = sorted((1 / propensities[label] for label in true), reverse=True)[:k]
        hits = [(r, label) for r, label in enumerate(ranked) if label in true]
        if metric == "precision":
            values.append(len(hits) / k)
        elif metric == "recall":
            values.append(len(hits) / len(true) if true else 0)
        elif metric == "ndcg":
            values.append(sum(1 / math.log2(r + 2) for r, _ in hits) / sum(places) if true else 0)
        elif metric == "psprecision":
            values.append(sum(1 / propensities[label] for _, label in hits))
            best_values.append(sum(rarest))
        elif true:
            reached = sum(1 / propensities[label] / math.log2(r + 2) for r, label in hits)
            values.append(reached / sum(places))
            best_values.append(
                sum(w * p for w, p in zip(rarest, places, strict=True)) / sum(places)
            )
    if metric in PLAIN:
        return sum(values) / len(values)
    return sum(values) / sum(best_values) if sum(best_values) else 0


# Few different values, so that ties are the rule.
SCORE = st.sampled_from([0.125, 0.25, 0.5, 1.0])


@st.composite
def problems(draw):
    """True sets, candidates in one of the three forms and as dicts, k and propensities."""
    n, n_labels = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    label = st.integers(0, n_labels - 1)
    truth = draw(st.lists(st.sets(label), min_size=n, max_size=n))
    propensities = draw(st.lists(SCORE, min_size=n_labels, max_size=n_labels))
    k = draw(st.integers(1, 9))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    form = draw(st.sampled_from(["sparse", "dense", "pair"]))
    if form == "dense":
        row = st.lists(st.one_of(SCORE, st.sampled_from([0.0, -2.0, -INF])), min_size=n_labels)
        dense = [draw(row)[:n_labels] for _ in range(n)]
        y_score = np.array(dense, dtype=dtype)
        return truth, [dict(enumerate(r)) for r in dense], y_score, k, propensities
    rows = draw(st.lists(st.dictionaries(label, SCORE), min_size=n, max_size=n))
    if form == "sparse":
        y_score = sp.lil_array((n, n_labels), dtype=dtype)
        for i, row in enumerate(rows):
            for j, score in row.items():
                y_score[i, j] = score
        return truth, rows, y_score.tocsr(), k, propensities
    # Columns that hold nothing, beyond the labels even, must make no difference.
    n_columns = max(min(k, n_labels), *map(len, rows)) + draw(st.integers(0, 2))
    indices, scores = np.full((n, n_columns), -1), np.full((n, n_columns), -INF, dtype=dtype)
    for i, row in enumerate(rows):
        columns = draw(st.permutations(range(n_columns)))
        for column, (j, score) in zip(columns, row.items(), strict=False):
            indices[i, column], scores[i, column] = j, score
    return truth, rows, (indices, scores), k, propensities


def indicator(truth, n_labels):
    y = np.zeros((len(truth), n_labels), dtype=np.int64)
    for i, labels in enumerate(truth):
        y[i, list(labels)] = 1
    return y


@given(problem=problems(), block=st.integers(1, 12), sparse_truth=st.booleans())
def test_metrics_equal_the_naive_ones(problem, block, sparse_truth):
    truth, candidates, y_score, k, propensities = problem
    y_true = indicator(truth, len(propensities))
    if sparse_truth:
        y_true = sp.csr_array(y_true)
    # Blocks so small that rows fall on both sides of their borders.
    with mock.patch.object(_candidates, "_BLOCK", block):
        for name, metric in (PLAIN | SCORED).items():
            extra = {"propensities": propensities} if name in SCORED else {}
            got = metric(y_true, y_score, k, **extra)
            assert type(got) is float
            assert got == pytest.approx(naive(name, truth, candidates, k, propensities), abs=1e-12)


def test_many_rows_of_unlike_length_equal_the_naive_metric():
    rng = np.random.default_rng(0)
    n, n_labels, k = 300, 2000, 7
    lengths = rng.integers(0, 12, size=n)
    lengths[[5, 100]] = 1900, 700
    rows = [rng.choice(n_labels, size=m, replace=False) for m in lengths]
    scores = [rng.integers(1, 50, size=m).astype(float) for m in lengths]
    indptr = np.concatenate(([0], np.cumsum(lengths)))
    y_score = sp.csr_array((np.concatenate(scores), np.concatenate(rows), indptr), (n, n_labels))
    truth = [{*rng.choice(n_labels, size=3), *row[:2].tolist()} for row in rows]
    candidates = [dict(zip(*pair, strict=True)) for pair in zip(rows, scores, strict=True)]
    propensities = rng.uniform(0.1, 1, size=n_labels)
    expected = naive("psndcg", truth, candidates, k, propensities)
    y_true = indicator(truth, n_labels)
    got = psndcg_at_k(y_true, y_score, k, propensities=propensities)
    assert 0 < expected < 1
    assert got == pytest.approx(expected, rel=1e-12)


# ------------------------------------------------------------------------------ by hand

Y_TRUE = np.array([[1, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]])
Y_SCORE = np.array(
    [[0.9, 0.8, 0.7, 0.2, 0.1], [0.5, 0.5, 0.1, 0.5, 0.2], [0.1, 0.2, 0.3, 0.4, 0.5]]
)
D2, D3 = 1 / math.log2(3), 1 / math.log2(4)


@pytest.mark.parametrize(
    ("metric", "k", "expected"),
    [
        (precision_at_k, 1, 1 / 3),
        (precision_at_k, 2, 1 / 6),  # row 1: three equal scores, label 3 comes third
        (precision_at_k, 3, 3 / 9),
        (precision_at_k, 10, 3 / 30),
        (recall_at_k, 1, 0.5 / 3),
        (recall_at_k, 3, 2 / 3),
        (ndcg_at_k, 1, 1 / 3),
        (ndcg_at_k, 3, ((1 + D3) / (1 + D2) + D3) / 3),
    ],
)
def test_hand_worked(metric, k, expected):
    assert metric(Y_TRUE, Y_SCORE, k=k) == pytest.approx(expected, rel=1e-12)
    assert metric(sp.csr_array(Y_TRUE), sp.csr_array(Y_SCORE), k) == pytest.approx(expected)


def test_hand_worked_propensity_scored():
    propensities = [0.5, 1, 0.25, 0.2, 1]
    # Row 0 finds label 0 (2) of labels 0 and 2 (2 + 4); row 1 finds nothing of label 3 (5).
    got = psprecision_at_k(Y_TRUE, Y_SCORE, 2, propensities=propensities)
    assert got == pytest.approx(2 / (6 + 5), rel=1e-12)
    got = psndcg_at_k(Y_TRUE, Y_SCORE, 2, propensities=propensities)
    assert got == pytest.approx((2 / (1 + D2)) / ((4 + 2 * D2) / (1 + D2) + 5), rel=1e-12)


def test_labels_without_a_stored_score_are_never_predicted():
    y_true = sp.csr_array([[1, 1, 0, 0]])
    nothing = sp.csr_array((1, 4))
    assert precision_at_k(y_true, nothing, 2) == 0
    one = sp.csr_array([[0, 0, 0, 0.1]])
    assert precision_at_k(y_true, one, 4) == 0
    assert precision_at_k(y_true, one.toarray(), 4) == 0.5  # dense: a zero is a score
    stored_zero = sp.csr_array((np.zeros(1), np.zeros(1, int), [0, 1]), shape=(1, 4))
    assert stored_zero.nnz == 1
    assert precision_at_k(y_true, stored_zero, 1) == 0


def test_rows_without_true_labels():
    y_true, y_score = Y_TRUE[[0, 2]], Y_SCORE[[0, 2]]
    propensities = np.full(5, 0.5)
    for metric in PLAIN.values():  # they count as 0
        assert metric(y_true, y_score, 2) == metric(y_true[:1], y_score[:1], 2) / 2 > 0
    for metric in SCORED.values():  # they make no difference
        kw = {"propensities": propensities}
        assert metric(y_true, y_score, 2, **kw) == metric(y_true[:1], y_score[:1], 2, **kw) > 0
        assert metric(y_true[1:], y_score[1:], 2, **kw) == 0


@pytest.mark.parametrize("n_rows", [1, 50])
def test_perfect_rankings_score_at_most_one(n_rows):
    # The sums round differently in different orders: ratios of 1 + 2e-16 are not rare here.
    rng = np.random.default_rng(0)
    y_true = np.ones((n_rows, 60))
    for k in range(1, 61):
        propensities = rng.uniform(0.05, 1, size=60)
        kw = {"propensities": propensities}
        # At k 60 any order of the labels has a perfect precision.
        rarest = sp.csr_array(y_true if k == 60 else y_true / propensities)
        assert 1 - 1e-9 < ndcg_at_k(y_true, y_true, k) <= 1
        assert 1 - 1e-9 < psprecision_at_k(y_true, rarest, k, **kw) <= 1
        assert 1 - 1e-9 < psndcg_at_k(y_true, y_true, k, propensities=np.full(60, 0.3)) <= 1
        for n_true in range(1, 10):
            some = {"propensities": propensities[:n_true]}
            assert psprecision_at_k(y_true[:, :n_true], y_true[:, :n_true], n_true, **some) <= 1


def test_ndcg_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    y_true = (rng.random((40, 25)) < 0.1).astype(int)
    assert (y_true.sum(axis=1) == 0).any()
    y_score = rng.random((40, 25))
    for k in (1, 5, 25):
        expected = ndcg_score(y_true, y_score, k=k)
        assert ndcg_at_k(y_true, y_score, k) == pytest.approx(expected, rel=1e-12)
        assert ndcg_at_k(y_true, sp.csr_array(y_score), k) == pytest.approx(expected, rel=1e-12)


# ------------------------------------------------------------------------------ containers

FORMATS = ["csr", "csc", "coo", "lil", "dok", "dia", "bsr"]


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("fmt", FORMATS)
def test_any_sparse_container(fmt, kind):
    make = getattr(sp, f"{fmt}_{kind}")
    expected = ndcg_at_k(Y_TRUE, Y_SCORE, 3)
    for dtype in (bool, np.uint8, np.int64, np.float32):
        y_true = make(sp.csr_array(Y_TRUE.astype(dtype)))
        assert ndcg_at_k(y_true, make(sp.csr_array(Y_SCORE)), 3) == expected
    propensities = label_propensities(Y_TRUE)
    assert np.array_equal(label_propensities(make(sp.csr_array(Y_TRUE))), propensities)


def messy(dense, rng, fmt, zeros):
    """Store `dense` unsorted, all entries twice, zeros too if asked; read-only, 64-bit indices.

    An indicator keeps its values, scores are halved.
    """
    row, col = np.nonzero(dense)
    values = dense[row, col] if dense.dtype == int else dense[row, col] / 2
    zero_row, zero_col = np.nonzero(dense == 0) if zeros else np.empty((2, 0), dtype=int)
    row, col = np.concatenate([row, row, zero_row]), np.concatenate([col, col, zero_col])
    values = np.concatenate([values, values, np.zeros(len(zero_row), values.dtype)])
    shuffled = rng.permutation(len(row))
    if fmt == "coo":
        values, row, col = values[shuffled], row[shuffled], col[shuffled]
        out = sp.coo_array((values, (row, col)), shape=dense.shape)
        arrays = (out.data, *out.coords)
    else:
        order = shuffled[np.argsort(row[shuffled], kind="stable")]
        indptr = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=len(dense)))))
        out = sp.csr_array((values[order], col[order], indptr), shape=dense.shape)
        out.indices, out.indptr = out.indices.astype(np.int64), out.indptr.astype(np.int64)
        arrays = (out.data, out.indices, out.indptr)
    for array in arrays:
        array.setflags(write=False)
    return out, arrays


@pytest.mark.parametrize("zeros", [True, False])
@pytest.mark.parametrize("fmt", ["csr", "coo"])
def test_stored_zeros_duplicates_order_and_read_only_arrays(fmt, zeros):
    rng = np.random.default_rng(0)
    (y_true, arrays), (y_score, more) = (messy(y, rng, fmt, zeros) for y in (Y_TRUE, Y_SCORE))
    before = [array.copy() for array in arrays + more]
    for metric in PLAIN.values():
        for k in (1, 2, 3):
            assert metric(y_true, y_score, k) == metric(Y_TRUE, Y_SCORE, k)
    assert np.array_equal(label_propensities(y_true), label_propensities(Y_TRUE))
    assert all(map(np.array_equal, arrays + more, before))


@pytest.mark.parametrize("zeros", [True, False])
def test_what_scipy_remembers_of_an_edited_matrix_is_not_believed(zeros):
    rng = np.random.default_rng(0)
    y_true, y_score = (messy(y, rng, "csr", zeros)[0] for y in (Y_TRUE, Y_SCORE))
    for stale in (y_true, y_score):
        stale.has_sorted_indices = stale.has_canonical_format = True
    for metric in PLAIN.values():
        assert metric(y_true, y_score, 3) == metric(Y_TRUE, Y_SCORE, 3)


def test_stored_zeros_alone():
    everything = (Y_TRUE.ravel(), np.tile(np.arange(5), 3), np.arange(4) * 5)
    y_true = sp.csr_array(everything, shape=(3, 5))
    assert y_true.has_canonical_format
    assert y_true.nnz == 15
    assert recall_at_k(y_true, Y_SCORE, 3) == recall_at_k(Y_TRUE, Y_SCORE, 3)


def test_lists_and_integer_scores():
    y_score = [[3, 2, 1, 0, 0], [2, 2, 0, 2, 1], [0, 1, 2, 3, 4]]
    assert recall_at_k(Y_TRUE.tolist(), y_score, 3) == recall_at_k(Y_TRUE, Y_SCORE, 3)
    assert precision_at_k(Y_TRUE, sp.csr_array(Y_TRUE), 1) == pytest.approx(2 / 3)
    assert precision_at_k(Y_TRUE, sp.csr_array(Y_TRUE.astype(bool)), 1) == pytest.approx(2 / 3)
    pair = ([[0, 2], [3, -1], [1, 2]], [[1, 2], [1, 3], [1, 1]])
    assert recall_at_k(Y_TRUE, pair, np.int32(2)) == pytest.approx(2 / 3)
    large = np.array([[2**24, 0, 2**24 + 1, 0, 0]])  # equal as float32
    assert precision_at_k([[0, 0, 1, 0, 0]], large, 1) == 1
    unsigned = (np.array([[0], [3], [1]], dtype=np.uint64), np.ones((3, 1), dtype=np.float16))
    assert recall_at_k(Y_TRUE, unsigned, 1) == pytest.approx(0.5)


@pytest.mark.parametrize("k", [1, 5])
def test_memory_does_not_grow_with_the_labels(k):
    rng = np.random.default_rng(0)
    n, n_labels, stored = 20_000, 50_000, 100
    columns = np.arange(stored) * (n_labels // stored) + rng.integers(0, 500, size=(n, 1))
    scores = rng.random((n, stored), dtype=np.float32) + np.float32(0.1)
    best = columns[np.arange(n), scores.argmax(axis=1)]
    # One row stores every label, which must not pad its neighbours.
    columns = np.concatenate([columns.ravel(), np.arange(n_labels)])
    scores = np.concatenate([scores.ravel(), np.linspace(0.1, 1, n_labels, dtype=np.float32)])
    indptr = np.append(np.arange(n + 1) * stored, len(scores))
    y_score = sp.csr_array((scores, columns, indptr), shape=(n + 1, n_labels))
    best = np.append(best, n_labels - 1)
    y_true = sp.csr_array((np.ones(n + 1), best, np.arange(n + 2)), shape=y_score.shape)
    propensities = label_propensities(y_true)
    tracemalloc.start()
    try:
        assert precision_at_k(y_true, y_score, k) == pytest.approx(1 / k)
        assert psndcg_at_k(y_true, y_score, k, propensities=propensities) == pytest.approx(1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The scores hold 2 million entries (24 MB), one dense array of bools would be 1 GB.
    assert peak < 15e6


# ------------------------------------------------------------------------------ propensities


def test_propensities_by_the_formula_of_the_paper():
    rng = np.random.default_rng(0)
    y = rng.random((60, 8)) < rng.random(8) * 0.4
    y[:, 3] = False
    for a, b in ((0.55, 1.5), (0.5, 0.4), (0.6, 2.6)):
        c = (math.log(60) - 1) * (b + 1) ** a
        expected = [1 / (1 + c * math.exp(-a * math.log(int(f) + b))) for f in y.sum(axis=0)]
        got = label_propensities(sp.csr_array(y), a=a, b=b)
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, expected, rtol=1e-12)
        assert got.argmin() == 3
    default = label_propensities(y)
    assert np.array_equal(default, label_propensities(y, 0.55, 1.5))


def test_propensities_count_a_row_as_often_as_its_weight_says():
    rng = np.random.default_rng(0)
    y = rng.random((30, 6)) < 0.3
    weights = rng.integers(0, 4, 30)
    repeated = label_propensities(np.repeat(y, weights, axis=0))
    np.testing.assert_allclose(label_propensities(y, sample_weight=weights), repeated, rtol=1e-12)


def test_equal_propensities_leave_the_normalisation_only():
    flat = {"propensities": np.full(5, 0.3)}
    y_true, y_score = Y_TRUE[:2], Y_SCORE[:2]
    got = psndcg_at_k(y_true, y_score, 3, **flat)
    assert got == pytest.approx(ndcg_at_k(y_true, y_score, 3), rel=1e-12)
    got = psprecision_at_k(y_true, y_score, 3, **flat)
    best = precision_at_k(y_true, y_true, 3)
    assert best == 0.5
    assert got == pytest.approx(precision_at_k(y_true, y_score, 3) / best, rel=1e-12)


# ------------------------------------------------------------------------------ errors

NAN = Y_SCORE.copy()
NAN[1, 2] = np.nan
IDS, VALUES = np.array([[0, 1], [1, 2], [3, 4]]), np.ones((3, 2))


@pytest.mark.parametrize(
    ("y_true", "y_score", "k", "error", "message"),
    [
        (Y_TRUE, Y_SCORE, 0, ValueError, "k must be at least 1, got 0"),
        (Y_TRUE, Y_SCORE, 1.0, TypeError, "k must be an int, got 1.0"),
        (Y_TRUE, Y_SCORE, True, TypeError, "k must be an int, got True"),
        (Y_TRUE, Y_SCORE[:, :4], 1, ValueError, r"y_score must have the shape \(3, 5\)"),
        (Y_TRUE, sp.csr_array(Y_SCORE[:2]), 1, ValueError, r"got shape \(2, 5\)"),
        (Y_TRUE, Y_SCORE[0], 1, ValueError, r"got shape \(5,\)"),
        (Y_TRUE, NAN, 1, ValueError, "y_score must not hold NaN"),
        (Y_TRUE, sp.csr_array(NAN), 1, ValueError, "y_score must not hold NaN"),
        (Y_TRUE, sp.csr_array(-Y_SCORE), 1, ValueError, "not be negative .* got -0.9"),
        (Y_TRUE, Y_SCORE.astype(str), 1, TypeError, "y_score must hold real numbers"),
        (Y_TRUE, sp.csr_array(Y_SCORE * 1j), 1, TypeError, "y_score must hold real numbers"),
        (Y_TRUE * 2, Y_SCORE, 1, ValueError, "y_true must hold 0 and 1 only, got 2"),
        (sp.csr_array(-Y_TRUE), Y_SCORE, 1, ValueError, "0 and 1 only, got -1"),
        (sp.coo_array(Y_TRUE * 0.5), Y_SCORE, 1, ValueError, "0 and 1 only, got 0.5"),
        (NAN > NAN, Y_SCORE[:, 1:], 1, ValueError, "y_score must have the shape"),
        (np.where(Y_TRUE, np.nan, 0), Y_SCORE, 1, ValueError, "0 and 1 only, got nan"),
        (Y_TRUE[0], Y_SCORE, 1, ValueError, r"y_true must be an indicator .* got shape \(5,\)"),
        (sp.csr_array((0, 5)), Y_SCORE[:0], 1, ValueError, r"got shape \(0, 5\)"),
        (Y_TRUE.astype(object), Y_SCORE, 1, TypeError, "y_true must hold real numbers"),
        (Y_TRUE, (IDS, VALUES), 3, ValueError, "k must be at most 2, the columns .* got 3"),
        (Y_TRUE, (IDS,), 1, ValueError, "label ids and scores if a tuple, got 1 items"),
        (Y_TRUE, (IDS, VALUES[:, :1]), 1, ValueError, r"got shapes \(3, 2\) and \(3, 1\)"),
        (Y_TRUE, (IDS[:2], VALUES[:2]), 1, ValueError, r"of shape \(3, n_columns\)"),
        (Y_TRUE, (VALUES, VALUES), 1, TypeError, r"y_score\[0\] must hold label ids"),
        (Y_TRUE, (IDS, IDS.astype(str)), 1, TypeError, r"y_score\[1\] must hold real numbers"),
        (Y_TRUE, (IDS, VALUES * np.nan), 1, ValueError, r"y_score\[1\] must not hold NaN"),
        (Y_TRUE, (IDS + 1, VALUES), 1, ValueError, "from 0 to 4, or -1, got 5"),
        (Y_TRUE, (IDS - 2, VALUES), 1, ValueError, "from 0 to 4, or -1, got -2"),
        (Y_TRUE, (IDS * [1, 0], VALUES), 1, ValueError, "got 0 twice in row 0"),
    ],
)  # fmt: skip
def test_errors(y_true, y_score, k, error, message):
    for metric in PLAIN.values():
        with pytest.raises(error, match=message):
            metric(y_true, y_score, k)
    for metric in SCORED.values():
        with pytest.raises(error, match=message):
            metric(y_true, y_score, k, propensities=np.ones(5))


@pytest.mark.parametrize(
    ("propensities", "error", "message"),
    [
        (np.ones(4), ValueError, "for each of the 5 labels of y_true, got 4"),
        (np.ones((5, 1)), ValueError, r"shape \(n_labels,\), got \(5, 1\)"),
        ([1, 1, 0, 1, 1], ValueError, r"in \(0, 1\], got 0 for label 2"),
        ([1, 1, 1, 1.5, 1], ValueError, r"in \(0, 1\], got 1.5 for label 3"),
        ([1, np.nan, 1, 1, 1], ValueError, r"in \(0, 1\], got nan for label 1"),
        (["a"] * 5, TypeError, "propensities must hold real numbers"),
    ],
)
def test_errors_of_propensities(propensities, error, message):
    for metric in SCORED.values():
        with pytest.raises(error, match=message):
            metric(Y_TRUE, Y_SCORE, 1, propensities=propensities)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"a": 0}, ValueError, "a must be positive and finite, got 0"),
        ({"a": np.inf}, ValueError, "a must be positive and finite, got inf"),
        ({"b": -1.0}, ValueError, "b must be positive and finite, got -1.0"),
        ({"b": "1"}, TypeError, "b must be a number, got '1'"),
        ({"Y": Y_TRUE[:2]}, ValueError, "Y must have at least 3 rows, got 2"),
        ({"Y": Y_TRUE * 3}, ValueError, "Y must hold 0 and 1 only, got 3"),
        ({"sample_weight": [1, 2]}, ValueError, r"sample_weight must have the shape \(\d,\)"),
        ({"sample_weight": np.full(len(Y_TRUE), 0.1)}, ValueError, "sum to at least 3"),
        ({"sample_weight": [-1.0] + [9.0] * (len(Y_TRUE) - 1)}, ValueError, "not negative"),
    ],
)
def test_errors_of_label_propensities(kwargs, error, message):
    with pytest.raises(error, match=message):
        label_propensities(**{"Y": Y_TRUE} | kwargs)


# ------------------------------------------------------------------------------ scorers


class Stub(ClassifierMixin, BaseEstimator):
    """Its scores are the features, times `sign`."""

    def __init__(self, sign=1):
        self.sign = sign

    def fit(self, X, y):
        assert X.shape[0] == y.shape[0]
        self.classes_ = np.arange(y.shape[1])
        return self

    def _scores(self, X):
        return self.sign * (X.toarray() if sp.issparse(X) else X)


class TopkStub(Stub):
    """Offers `predict_topk`, and a `predict_proba` that must not be asked."""

    def predict_topk(self, X, k=10):
        scores = self._scores(X)
        indices = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return indices, np.take_along_axis(scores, indices, axis=1)

    def predict_proba(self, X):
        raise AssertionError("predict_topk should have been called")


class ProbaStub(Stub):
    def predict_proba(self, X):
        return sp.csr_array(1 / (1 + np.exp(-self._scores(X))))

    def decision_function(self, X):
        raise AssertionError("predict_proba should have been called")


class DecisionStub(Stub):
    def decision_function(self, X):
        return self._scores(X)


STUBS = [TopkStub, ProbaStub, DecisionStub]


@pytest.fixture(scope="module")
def data():
    """Features that rank two thirds of the rows right: a sparse X and y, and the scores."""
    rng = np.random.default_rng(0)
    y = sp.csr_array((rng.random((60, 6)) < 0.25).astype(np.int8))
    noise = rng.normal(scale=0.6, size=(60, 6))
    return sp.csr_array(y + noise), y


@pytest.mark.parametrize("stub", STUBS)
@pytest.mark.parametrize("metric", [*PLAIN, *SCORED])
def test_scorer_is_the_metric(data, stub, metric):
    X, y = data
    extra = {"propensities": label_propensities(y)} if metric in SCORED else {}
    expected = (PLAIN | SCORED)[metric](y, X.toarray(), 3, **extra)
    scorer = topk_scorer(metric, 3, **extra)
    assert scorer(stub().fit(X, y), X, y) == pytest.approx(expected, rel=1e-12)
    assert scorer(stub().fit(X, y), X, y.toarray()) == pytest.approx(expected, rel=1e-12)
    assert scorer(stub(sign=-1).fit(X, y), X, y) < expected


@pytest.mark.parametrize("stub", STUBS)
def test_grid_search_over_sparse_targets(data, stub):
    X, y = data
    scorer = topk_scorer("precision", k=2)
    search = GridSearchCV(stub(), {"sign": [-1, 1]}, scoring=scorer, cv=3, error_score="raise")
    search.fit(X, y)
    assert search.best_params_ == {"sign": 1}
    expected = precision_at_k(y, X.toarray(), 2)
    assert search.cv_results_["mean_test_score"][1] == pytest.approx(expected, rel=1e-12)
    # The fitted search is an estimator of its own; without predict_topk its best one stands in.
    assert scorer(search, X, y) == search.score(X, y) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("stub", STUBS)
def test_pipeline_transforms_before_the_last_step(data, stub):
    X, y = data
    flip = FunctionTransformer(np.negative, accept_sparse=True)
    inner = make_pipeline(flip, "passthrough", stub())
    steps = [("flip", flip), ("none", None), ("inner", inner)]
    grid = {f"inner__{stub.__name__.lower()}__sign": [-1, 1]}
    for estimator, names in ((Pipeline(steps), grid), (inner, {k[7:]: v for k, v in grid.items()})):
        search = GridSearchCV(
            estimator, names, scoring=topk_scorer("ndcg", k=2), cv=2, error_score="raise"
        ).fit(X, y)
        # Two flips (nested pipelines) cancel, one must be undone.
        assert list(search.best_params_.values()) == [1 if estimator.steps == steps else -1]
        expected = ndcg_at_k(y, X.toarray(), 2)
        assert topk_scorer("ndcg", k=2)(search, X, y) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("routing", [False, True])
def test_several_metrics_at_once(data, routing):
    X, y = data
    scoring = {f"P@{k}": topk_scorer("precision", k) for k in (1, 3)}
    scoring["PSP@3"] = topk_scorer("psprecision", 3, propensities=label_propensities(y))
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(
            TopkStub(), {"sign": [1, -1]}, scoring=scoring, refit="P@3", cv=2, error_score="raise"
        ).fit(X, y)
        scores = cross_validate(TopkStub(), X, y.toarray(), scoring=scoring, cv=2)
    assert search.best_params_ == {"sign": 1}
    for name in scoring:
        assert np.array_equal(
            scores[f"test_{name}"],
            [search.cv_results_[f"split{i}_test_{name}"][0] for i in range(2)],
        )
    assert not np.array_equal(scores["test_P@1"], scores["test_P@3"])


def test_check_scoring_pickle_clone_and_repr(data):
    X, y = data
    scorer = topk_scorer("psndcg", k=3, propensities=np.full(6, 0.5))
    assert repr(scorer) == "topk_scorer('psndcg', k=3, propensities=<6 values>)"
    assert repr(topk_scorer()) == "topk_scorer('precision', k=1)"
    assert check_scoring(TopkStub(), scoring=scorer) is scorer
    assert clone(GridSearchCV(TopkStub(), {}, scoring=scorer)).scoring is scorer
    again = pickle.loads(pickle.dumps(scorer))
    assert repr(again) == repr(scorer)
    assert again(TopkStub(), X, y) == scorer(TopkStub(), X, y) > 0


def test_scorer_keeps_its_own_propensities(data):
    X, y = data
    propensities = label_propensities(y)
    scorer = topk_scorer("psprecision", k=2, propensities=propensities)
    before = scorer(TopkStub(), X, y)
    propensities[:] = np.linspace(0.01, 1, 6)
    assert scorer(TopkStub(), X, y) == before


def test_two_and_one_sparse_columns_are_no_binary_targets(data):
    X, y = data
    for n_labels in (1, 2):
        few = (X[:, :n_labels], y[:, :n_labels])
        expected = recall_at_k(few[1], few[0].toarray(), 1)
        assert topk_scorer("recall")(DecisionStub().fit(*few), *few) == expected > 0


@pytest.mark.parametrize("estimator", [KNeighborsClassifier(), GaussianNB()])
def test_one_dimensional_classes(estimator):
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    expected = cross_val_score(estimator, X, names, cv=3)
    got = cross_val_score(estimator, X, names, scoring=topk_scorer(), cv=3, error_score="raise")
    # Equal votes of neighbours go to the lower class in both.
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    proba = estimator.fit(X[::2], y[::2]).predict_proba(X)
    if isinstance(estimator, GaussianNB):  # no ties
        expected = top_k_accuracy_score(y, proba, k=2)
        assert topk_scorer("recall", 2)(estimator, X, y) == pytest.approx(expected, rel=1e-12)


def test_decision_function_of_two_classes():
    X, y = load_iris(return_X_y=True)
    X, y = X[50:, :2], y[50:]

    model = LinearSVC().fit(X, y)
    assert model.decision_function(X).ndim == 1
    assert topk_scorer()(model, X, y) == pytest.approx(model.score(X, y), rel=1e-12)
    assert 0.6 < model.score(X, y) < 1


def test_multilabel_estimator_of_scikit_learn(data):
    X, y = data
    model = OneVsRestClassifier(GaussianNB()).fit(X.toarray(), y.toarray())
    expected = precision_at_k(y, model.predict_proba(X.toarray()), 2)
    assert topk_scorer(k=2)(model, X.toarray(), y) == expected > 0.3


def test_errors_of_topk_scorer():
    for kwargs, error, message in [
        ({"metric": "map"}, ValueError, r"metric must be one of \['precision'.*\], got 'map'"),
        ({"k": 0}, ValueError, "k must be at least 1, got 0"),
        ({"k": "1"}, TypeError, "k must be an int, got '1'"),
        ({"metric": "psndcg"}, ValueError, "'psndcg' without propensities"),
        ({"propensities": [1.0]}, ValueError, "'precision' with propensities"),
        ({"metric": "psndcg", "propensities": [2.0]}, ValueError, r"in \(0, 1\], got 2.0"),
    ]:
        with pytest.raises(error, match=message):
            topk_scorer(**kwargs)


def test_errors_when_a_scorer_is_called(data):
    X, y = data
    with pytest.raises(TypeError, match=r"predict_topk, predict_proba or .*, got Stub"):
        topk_scorer()(Stub().fit(X, y), X, y)
    with pytest.raises(ValueError, match=r"y must hold classes of the estimator only, got .*9"):
        topk_scorer()(DecisionStub().fit(X, y), X, np.full(60, 9))
    with pytest.raises(ValueError, match="one-dimensional y needs an estimator with classes_"):
        topk_scorer()(DecisionStub(), X, np.zeros(60))
    model = KNeighborsClassifier().fit(X, y.toarray())
    with pytest.raises(TypeError, match="all scores in one array, got a list from predict_proba"):
        topk_scorer()(model, X, y)
