"""The parameter `ignore` of all metrics: pairs are removed from true labels and predictions."""

from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from helpers.reference_metrics import (
    ALL_METRICS,
    PROPENSITY_METRICS,
    Y_SCORE,
    Y_TRUE,
    reference_metric,
)
from skxmr.metrics import (
    _candidates,
    calibration_curve,
    expected_calibration_error,
    precision_at_k,
    recall_at_k,
)

NOTHING = sp.csr_array(Y_TRUE.shape, dtype=int)


@st.composite
def problems(draw):
    """Draw a dense indicator, ignored pairs and scores of equal shape, all with many ties."""
    shape = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    size = shape[0] * shape[1]
    y_true, ignored = (
        np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size))).reshape(shape)
        for _ in range(2)
    )
    scores = draw(st.lists(st.sampled_from([0.25, 0.5, 0.75]), min_size=size, max_size=size))
    return y_true, ignored, np.array(scores).reshape(shape)


@given(problem=problems(), k=st.integers(1, 4), block_size=st.integers(1, 12))
def test_metrics_equal_reference_without_ignored_pairs(problem, k, block_size):
    y_true, ignored, scores = problem
    n_labels = y_true.shape[1]
    truth = [set(np.flatnonzero(row)) for row in y_true & ~ignored]
    candidates = [
        {label: row[label] for label in np.flatnonzero(~skip)}
        for row, skip in zip(scores, ignored, strict=True)
    ]
    all_labels = np.tile(np.arange(n_labels), (len(scores), 1))
    propensities = np.linspace(0.2, 1, n_labels)
    with mock.patch.object(_candidates, "_CANDIDATES_PER_BLOCK", block_size):
        for name, metric in ALL_METRICS.items():
            kwargs = {"propensities": propensities} if name in PROPENSITY_METRICS else {}
            expected = reference_metric(name, truth, candidates, k, propensities)
            for y_score in (scores, sp.csr_array(scores), (all_labels, scores)):
                for ignore in (ignored, sp.csc_array(ignored.astype(float))):
                    value = metric(y_true, y_score, k, ignore=ignore, **kwargs)
                    assert value == pytest.approx(expected, abs=1e-12)


@given(problem=problems(), strategy=st.sampled_from(["uniform", "quantile"]))
def test_calibration_metrics_ignore_pairs(problem, strategy):
    y_true, ignored, scores = problem
    remaining = sp.csr_array(np.where(ignored, 0, scores))
    kwargs = {"n_bins": 3, "strategy": strategy}
    expected = expected_calibration_error(y_true, remaining, **kwargs)
    value = expected_calibration_error(y_true, scores, ignore=ignored, **kwargs)
    assert value == pytest.approx(expected, rel=1e-12, nan_ok=True)
    curves = (
        calibration_curve(y_true, remaining, **kwargs),
        calibration_curve(y_true, scores, ignore=ignored, **kwargs),
    )
    np.testing.assert_array_equal(*curves)


def test_ignored_pair_is_replaced_by_next_label_or_left_empty():
    # Label 0 of row 0 is ignored: labels 1 and 2 are ranked, and only label 2 is true.
    ignore = sp.csr_array(([1], ([0], [0])), shape=Y_TRUE.shape)
    assert precision_at_k(Y_TRUE[:1], Y_SCORE[:1], 2, ignore=ignore[:1]) == 0.5
    assert recall_at_k(Y_TRUE[:1], Y_SCORE[:1], 2, ignore=ignore[:1]) == 1
    # Two columns of predict_topk have one label left.
    top = np.array([[0, 1]]), np.array([[0.9, 0.8]])
    assert recall_at_k(Y_TRUE[:1], top, 2, ignore=ignore[:1]) == 0
    top = np.array([[0, 1, 2]]), np.array([[0.9, 0.8, 0.7]])
    assert recall_at_k(Y_TRUE[:1], top, 2, ignore=ignore[:1]) == 1


def test_metrics_do_not_change_their_arguments():
    scores = Y_SCORE.copy()
    matrix, ignore = sp.csr_array(scores), np.ones(Y_TRUE.shape, dtype=bool)
    for y_score in (scores, matrix, (np.tile(np.arange(5), (3, 1)), scores)):
        assert precision_at_k(Y_TRUE, y_score, 2, ignore=ignore) == 0
    assert np.array_equal(scores, Y_SCORE)
    assert np.array_equal(matrix.toarray(), Y_SCORE)


@pytest.mark.parametrize("metric", ALL_METRICS)
def test_no_ignored_pairs_equal_no_argument(metric):
    kwargs = {"propensities": np.full(5, 0.5)} if metric in PROPENSITY_METRICS else {}
    expected = ALL_METRICS[metric](Y_TRUE, Y_SCORE, 2, **kwargs)
    assert ALL_METRICS[metric](Y_TRUE, Y_SCORE, 2, ignore=NOTHING, **kwargs) == expected


def test_ignored_labels_of_suggestions_are_names():
    names = [["a", "b"], ["c"]]
    suggestions = [[("a", 0.9), ("c", 0.5), ("b", 0.4)], [("c", 0.3)]]
    # "d" is neither true nor suggested.
    ignore = [["a", "d"], ["b"]]
    assert recall_at_k(names, suggestions, 1, ignore=ignore) == 0.5
    assert recall_at_k(names, suggestions, 2, ignore=ignore) == 1
    with pytest.raises(ValueError, match="ignore must have 2 rows, as y_true has; got 1"):
        recall_at_k(names, suggestions, 1, ignore=[["a"]])
    with pytest.raises(ValueError, match="ignore must have a list of labels per row"):
        recall_at_k(names, suggestions, 1, ignore=NOTHING)


@pytest.mark.parametrize(
    ("ignore", "message"),
    [
        (NOTHING[:2], r"ignore must have the shape of y_true, \(3, 5\); got shape \(2, 5\)"),
        (NOTHING[:, :4], r"ignore must have the shape of y_true, \(3, 5\); got shape \(3, 4\)"),
        (Y_TRUE * 2, "ignore must be an indicator of 0 and 1; got the value 2"),
        ([["a"], [], []], "ignore must be an indicator of 0 and 1 here; got a list of labels"),
    ],
)
def test_metrics_raise_for_invalid_ignore(ignore, message):
    for metric in (precision_at_k, expected_calibration_error):
        with pytest.raises(ValueError, match=message):
            metric(Y_TRUE, Y_SCORE, ignore=ignore)
