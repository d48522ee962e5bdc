"""The parameter `sample_weight` of all metrics: an integer weight equals repeated rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from helpers.reference_metrics import ALL_METRICS, PROPENSITY_METRICS, Y_SCORE, Y_TRUE
from skxmr.metrics import calibration_curve, expected_calibration_error, precision_at_k

CALIBRATION_METRICS = {
    "curve": calibration_curve,
    "error": lambda *args, **kwargs: [expected_calibration_error(*args, **kwargs)],
}


def make_data(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 12), rng.integers(1, 8)
    return rng.random(shape) < 0.3, sp.csr_array(np.round(rng.random(shape), 1)), rng


def options_of(name, n_labels):
    return {"propensities": np.linspace(0.2, 1, n_labels)} if name in PROPENSITY_METRICS else {}


@given(seed=st.integers(0, 2**32), k=st.integers(1, 4))
def test_integer_weights_equal_repeated_rows(seed, k):
    y_true, y_score, rng = make_data(seed)
    weights = rng.integers(0, 4, len(y_true))
    weights[0] += 1  # a positive sum
    repeated = np.repeat(np.arange(len(y_true)), weights)
    for name, metric in ALL_METRICS.items():
        options = options_of(name, y_true.shape[1])
        value = metric(y_true, y_score, k, sample_weight=weights, **options)
        expected = metric(y_true[repeated], y_score[repeated], k, **options)
        assert value == pytest.approx(expected, rel=1e-12)
    for metric in CALIBRATION_METRICS.values():
        value = metric(y_true, y_score, n_bins=3, sample_weight=weights)
        expected = metric(y_true[repeated], y_score[repeated], n_bins=3)
        np.testing.assert_allclose(value, expected, rtol=1e-9)


@given(seed=st.integers(0, 2**32), k=st.integers(1, 4), weight=st.sampled_from([1, 1.0, True]))
def test_unit_weights_equal_no_weights_exactly(seed, k, weight):
    y_true, y_score, _ = make_data(seed)
    weights = np.full(len(y_true), weight)
    for name, metric in ALL_METRICS.items():
        options = options_of(name, y_true.shape[1])
        value = metric(y_true, y_score, k, sample_weight=weights, **options)
        assert value == metric(y_true, y_score, k, **options)
    for metric in CALIBRATION_METRICS.values():
        for strategy in ("uniform", "quantile"):
            value = metric(y_true, y_score, strategy=strategy, sample_weight=weights)
            np.testing.assert_array_equal(value, metric(y_true, y_score, strategy=strategy))


@given(seed=st.integers(0, 2**32), factor=st.sampled_from([1e-9, 3.7, 1e12]))
def test_only_ratios_of_weights_matter(seed, factor):
    y_true, y_score, rng = make_data(seed)
    weights = rng.random(len(y_true)) + 0.01
    for name, metric in ALL_METRICS.items():
        options = options_of(name, y_true.shape[1])
        value = metric(y_true, y_score, 2, sample_weight=weights * factor, **options)
        expected = metric(y_true, y_score, 2, sample_weight=weights, **options)
        assert value == pytest.approx(expected, rel=1e-9)
        assert value <= 1


def test_quantile_bins_depend_only_on_rows_with_a_weight():
    y_true, y_score, rng = make_data(3)
    weights = rng.random(len(y_true)) + 0.1
    weights[::3] = 0
    kwargs = {"n_bins": 3, "strategy": "quantile"}
    is_used = weights > 0
    value = calibration_curve(y_true, y_score, sample_weight=weights, **kwargs)
    expected = calibration_curve(
        y_true[is_used], y_score[is_used], sample_weight=weights[is_used], **kwargs
    )
    np.testing.assert_allclose(value, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([1, 1], ValueError, r"sample_weight must have shape \(3,\).*got shape \(2,\)"),
        (np.ones((3, 1)), ValueError, r"sample_weight must have shape \(3,\)"),
        ([1, 1, -1], ValueError, "nonnegative with a positive .*; got a minimum of -1.0"),
        ([0, 0, 0], ValueError, "positive finite sum; got .* a sum of 0.0"),
        ([1, np.nan, 1], ValueError, "sample_weight must be nonnegative"),
        ([1, np.inf, 1], ValueError, "got .* a sum of inf"),
        (["a"] * 3, TypeError, "sample_weight must contain real numbers"),
    ],
)
def test_metrics_raise_for_invalid_weights(weights, error, message):
    for metric in (precision_at_k, expected_calibration_error):
        with pytest.raises(error, match=message):
            metric(Y_TRUE, Y_SCORE, sample_weight=weights)
