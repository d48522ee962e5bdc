"""All metrics against reference values: in plain Python, by hand, from scikit-learn."""

import math
import tracemalloc
from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from helpers.reference_metrics import (
    ALL_METRICS,
    LABEL_METRICS,
    PLAIN_METRICS,
    PROPENSITY_METRICS,
    Y_SCORE,
    Y_TRUE,
    make_indicator,
    reference_metric,
)
from skxmr.metrics import (
    _candidates,
    coverage_at_k,
    hits_at_k,
    label_propensities,
    macro_f1_at_k,
    ndcg_at_k,
    precision_at_k,
    psndcg_at_k,
    psprecision_at_k,
    psrecall_at_k,
    recall_at_k,
)

INF = float("inf")
# Only four values, so that ties are frequent.
SCORE = st.sampled_from([0.125, 0.25, 0.5, 1.0])
# Discounts of the second and the third rank.
D2, D3 = 1 / math.log2(3), 1 / math.log2(4)


@st.composite
def problems(draw):
    """Draw true labels, candidates as dicts, scores in one of the three forms, k, propensities."""
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
        return truth, [dict(sorted(row.items())) for row in rows], y_score.tocsr(), k, propensities
    # Columns without a label must have no effect, even more columns than labels.
    n_columns = max(min(k, n_labels), *map(len, rows)) + draw(st.integers(0, 2))
    indices, scores = np.full((n, n_columns), -1), np.full((n, n_columns), -INF, dtype=dtype)
    for i, row in enumerate(rows):
        # Labels with equal scores are ranked in the order of their columns.
        columns = sorted(draw(st.permutations(range(n_columns)))[: len(row)])
        for column, (j, score) in zip(columns, row.items(), strict=True):
            indices[i, column], scores[i, column] = j, score
    return truth, rows, (indices, scores), k, propensities


@pytest.mark.filterwarnings("ignore:y_score contains only 0 and 1")
@given(problem=problems(), block_size=st.integers(1, 12), is_y_true_sparse=st.booleans())
def test_metrics_equal_reference(problem, block_size, is_y_true_sparse):
    truth, candidates, y_score, k, propensities = problem
    y_true = make_indicator(truth, len(propensities))
    if is_y_true_sparse:
        y_true = sp.csr_array(y_true)
    # Tiny blocks, so that the rows of most examples are in different blocks.
    with mock.patch.object(_candidates, "_CANDIDATES_PER_BLOCK", block_size):
        for name, metric in ALL_METRICS.items():
            kwargs = {"propensities": propensities} if name in PROPENSITY_METRICS else {}
            value = metric(y_true, y_score, k, **kwargs)
            assert type(value) is float
            expected = reference_metric(name, truth, candidates, k, propensities)
            assert value == pytest.approx(expected, abs=1e-12)


def test_psndcg_equals_reference_for_rows_of_different_lengths():
    rng = np.random.default_rng(0)
    n, n_labels, k = 300, 2000, 7
    lengths = rng.integers(0, 12, size=n)
    lengths[[5, 100]] = 1900, 700
    rows = [rng.choice(n_labels, size=m, replace=False) for m in lengths]
    scores = [rng.integers(1, 50, size=m).astype(float) for m in lengths]
    indptr = np.concatenate(([0], np.cumsum(lengths)))
    y_score = sp.csr_array((np.concatenate(scores), np.concatenate(rows), indptr), (n, n_labels))
    truth = [{*rng.choice(n_labels, size=3), *row[:2].tolist()} for row in rows]
    candidates = [dict(sorted(zip(*pair, strict=True))) for pair in zip(rows, scores, strict=True)]
    propensities = rng.uniform(0.1, 1, size=n_labels)
    expected = reference_metric("psndcg", truth, candidates, k, propensities)
    y_true = make_indicator(truth, n_labels)
    value = psndcg_at_k(y_true, y_score, k, propensities=propensities)
    assert 0 < expected < 1
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "k", "expected"),
    [
        (precision_at_k, 1, 1 / 3),
        (precision_at_k, 2, 1 / 6),  # row 1: label 3 is third of three ties
        (precision_at_k, 3, 3 / 9),
        (precision_at_k, 10, 3 / 30),
        (hits_at_k, 1, 1 / 3),
        (hits_at_k, 3, 2 / 3),
        (coverage_at_k, 1, 1 / 3),
        (coverage_at_k, 3, 1),
        # Labels 0, 2 and 3 are true once, hit once and predicted twice.
        (macro_f1_at_k, 3, 2 / 3),
        (recall_at_k, 1, 0.5 / 3),
        (recall_at_k, 3, 2 / 3),
        (ndcg_at_k, 1, 1 / 3),
        (ndcg_at_k, 3, ((1 + D3) / (1 + D2) + D3) / 3),
    ],
)
def test_metrics_equal_values_computed_by_hand(metric, k, expected):
    assert metric(Y_TRUE, Y_SCORE, k=k) == pytest.approx(expected, rel=1e-12)
    assert metric(sp.csr_array(Y_TRUE), sp.csr_array(Y_SCORE), k) == pytest.approx(expected)


def test_propensity_metrics_equal_values_computed_by_hand():
    propensities = [0.5, 1, 0.25, 0.2, 1]
    # Row 0: a hit of weight 2, true labels of weight 2 and 4. Row 1: no hit, a true label of
    # weight 5.
    value = psprecision_at_k(Y_TRUE, Y_SCORE, 2, propensities=propensities)
    assert value == pytest.approx(2 / (6 + 5), rel=1e-12)
    value = psrecall_at_k(Y_TRUE, Y_SCORE, 2, propensities=propensities)
    assert value == pytest.approx((2 / 2) / (6 / 2 + 5), rel=1e-12)
    value = psndcg_at_k(Y_TRUE, Y_SCORE, 2, propensities=propensities)
    assert value == pytest.approx((2 / (1 + D2)) / ((4 + 2 * D2) / (1 + D2) + 5), rel=1e-12)


def test_metrics_of_rows_without_true_labels():
    y_true, y_score = Y_TRUE[[0, 2]], Y_SCORE[[0, 2]]
    propensities = np.full(5, 0.5)
    for metric in PLAIN_METRICS.values():  # such rows count as 0
        assert metric(y_true, y_score, 2) == metric(y_true[:1], y_score[:1], 2) / 2 > 0
    for metric in PROPENSITY_METRICS.values():  # such rows have no effect
        kwargs = {"propensities": propensities}
        expected = metric(y_true[:1], y_score[:1], 2, **kwargs)
        assert metric(y_true, y_score, 2, **kwargs) == expected > 0
        assert metric(y_true[1:], y_score[1:], 2, **kwargs) == 0


def test_label_metrics_of_data_without_true_labels_are_zero():
    for metric in LABEL_METRICS.values():
        assert metric(Y_TRUE[2:], Y_SCORE[2:], 2) == 0


@pytest.mark.parametrize("n_rows", [1, 50])
def test_metrics_of_perfect_rankings_do_not_exceed_one(n_rows):
    # Sums in different orders round differently: ratios of 1 + 2e-16 are frequent here.
    rng = np.random.default_rng(0)
    y_true = np.ones((n_rows, 60))
    for k in range(1, 61):
        propensities = rng.uniform(0.05, 1, size=60)
        kwargs = {"propensities": propensities}
        # For k = 60, any order of the labels has perfect precision.
        by_rarity = sp.csr_array(y_true * 0.5 if k == 60 else y_true / propensities)
        assert 1 - 1e-9 < ndcg_at_k(y_true, y_true, k) <= 1
        assert 1 - 1e-9 < psprecision_at_k(y_true, by_rarity, k, **kwargs) <= 1
        assert 1 - 1e-9 < psrecall_at_k(y_true, by_rarity, k, **kwargs) <= 1
        assert 1 - 1e-9 < psndcg_at_k(y_true, y_true, k, propensities=np.full(60, 0.3)) <= 1
        for n_true in range(1, 10):
            first = {"propensities": propensities[:n_true]}
            assert psprecision_at_k(y_true[:, :n_true], y_true[:, :n_true], n_true, **first) <= 1


def test_ndcg_equals_scikit_learn():
    rng = np.random.default_rng(0)
    y_true = (rng.random((40, 25)) < 0.1).astype(int)
    assert (y_true.sum(axis=1) == 0).any()
    y_score = rng.random((40, 25))
    for k in (1, 5, 25):
        expected = ndcg_score(y_true, y_score, k=k)
        assert ndcg_at_k(y_true, y_score, k) == pytest.approx(expected, rel=1e-12)
        assert ndcg_at_k(y_true, sp.csr_array(y_score), k) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("k", [1, 5])
def test_metric_memory_does_not_grow_with_n_labels(k):
    rng = np.random.default_rng(0)
    n, n_labels, n_stored = 20_000, 50_000, 100
    columns = np.arange(n_stored) * (n_labels // n_stored) + rng.integers(0, 500, size=(n, 1))
    scores = rng.random((n, n_stored), dtype=np.float32) + np.float32(0.1)
    best = columns[np.arange(n), scores.argmax(axis=1)]
    # One row stores every label; other rows must not be padded to its length.
    columns = np.concatenate([columns.ravel(), np.arange(n_labels)])
    scores = np.concatenate([scores.ravel(), np.linspace(0.1, 1, n_labels, dtype=np.float32)])
    indptr = np.append(np.arange(n + 1) * n_stored, len(scores))
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
    # The scores have 2 million entries (24 MB); a dense array of bools would take 1 GB.
    assert peak < 15e6
