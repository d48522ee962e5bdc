"""Label propensities, and the arguments of the propensity-scored metrics."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from helpers.reference_metrics import PROPENSITY_METRICS, Y_SCORE, Y_TRUE
from skxmr.metrics import (
    label_propensities,
    ndcg_at_k,
    precision_at_k,
    psndcg_at_k,
    psprecision_at_k,
    psrecall_at_k,
    recall_at_k,
)


def test_label_propensities_equal_formula_of_paper():
    rng = np.random.default_rng(0)
    y = rng.random((60, 8)) < rng.random(8) * 0.4
    y[:, 3] = False
    for a, b in ((0.55, 1.5), (0.5, 0.4), (0.6, 2.6)):
        c = (math.log(60) - 1) * (b + 1) ** a
        expected = [1 / (1 + c * math.exp(-a * math.log(int(f) + b))) for f in y.sum(axis=0)]
        value = label_propensities(sp.csr_array(y), a=a, b=b)
        assert value.dtype == np.float64
        np.testing.assert_allclose(value, expected, rtol=1e-12)
        assert value.argmin() == 3
    default = label_propensities(y)
    assert np.array_equal(default, label_propensities(y, 0.55, 1.5))


def test_label_propensities_with_sample_weight_equal_repeated_rows():
    rng = np.random.default_rng(0)
    y = rng.random((30, 6)) < 0.3
    weights = rng.integers(0, 4, 30)
    repeated = label_propensities(np.repeat(y, weights, axis=0))
    np.testing.assert_allclose(label_propensities(y, sample_weight=weights), repeated, rtol=1e-12)


def test_metrics_with_equal_propensities_equal_normalized_plain_metrics():
    equal = {"propensities": np.full(5, 0.3)}
    y_true, y_score = Y_TRUE[:2], Y_SCORE[:2]
    value = psndcg_at_k(y_true, y_score, 3, **equal)
    assert value == pytest.approx(ndcg_at_k(y_true, y_score, 3), rel=1e-12)
    value = psprecision_at_k(y_true, y_score, 3, **equal)
    best = precision_at_k(y_true, y_true * 0.5, 3)
    assert best == 0.5
    assert value == pytest.approx(precision_at_k(y_true, y_score, 3) / best, rel=1e-12)
    value = psrecall_at_k(y_true, y_score, 1, **equal)
    best = recall_at_k(y_true, y_true * 0.5, 1)
    assert best == 0.75
    assert value == pytest.approx(recall_at_k(y_true, y_score, 1) / best, rel=1e-12)


@pytest.mark.parametrize(
    ("propensities", "error", "message"),
    [
        (np.ones(4), ValueError, "for each of the 5 labels of y_true; got 4 values"),
        (np.ones((5, 1)), ValueError, r"shape \(n_labels,\); got shape \(5, 1\)"),
        ([1, 1, 0, 1, 1], ValueError, r"in \(0, 1\]; got 0 for label 2"),
        ([1, 1, 1, 1.5, 1], ValueError, r"in \(0, 1\]; got 1.5 for label 3"),
        ([1, np.nan, 1, 1, 1], ValueError, r"in \(0, 1\]; got nan for label 1"),
        (["a"] * 5, TypeError, "propensities must contain real numbers"),
    ],
)
def test_metrics_raise_for_invalid_propensities(propensities, error, message):
    for metric in PROPENSITY_METRICS.values():
        with pytest.raises(error, match=message):
            metric(Y_TRUE, Y_SCORE, 1, propensities=propensities)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"a": 0}, ValueError, "a must be positive and finite; got 0"),
        ({"a": np.inf}, ValueError, "a must be positive and finite; got inf"),
        ({"b": -1.0}, ValueError, "b must be positive and finite; got -1.0"),
        ({"b": "1"}, TypeError, "b must be a number; got '1'"),
        ({"Y": Y_TRUE[:2]}, ValueError, "Y must have at least 3 rows; got 2"),
        ({"Y": Y_TRUE * 3}, ValueError, "Y must be an indicator of 0 and 1; got the value 3"),
        (
            {"sample_weight": [1, 2]},
            ValueError,
            r"sample_weight must have shape \(\d,\)",
        ),
        (
            {"sample_weight": np.full(len(Y_TRUE), 0.1)},
            ValueError,
            "sample_weight must .* sum of at least 3",
        ),
        (
            {"sample_weight": [-1.0] + [9.0] * (len(Y_TRUE) - 1)},
            ValueError,
            "got a minimum of -1.0",
        ),
    ],
)
def test_label_propensities_raises_for_invalid_arguments(kwargs, error, message):
    with pytest.raises(error, match=message):
        label_propensities(**{"Y": Y_TRUE} | kwargs)
