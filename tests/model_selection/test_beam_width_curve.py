"""`beam_width_curve`: scores and times of beam widths, with one fit per split."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skxmr import XRLinearClassifier
from skxmr.metrics import topk_scorer
from skxmr.model_selection import beam_width_curve, cross_val_score

BEAMS = [None, 1, 4]
P5 = topk_scorer("precision", k=5)


@pytest.fixture
def fit_sizes(monkeypatch):
    """Record the number of rows of each fit."""
    n_rows = []
    fit = XRLinearClassifier.fit

    def recording_fit(self, X, y, **params):
        n_rows.append(X.shape[0])
        return fit(self, X, y, **params)

    monkeypatch.setattr(XRLinearClassifier, "fit", recording_fit)
    return n_rows


def classifier(**params):
    return XRLinearClassifier(4, 5, random_state=0, **params)


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_beam_width_curve_scores_equal_fits_with_each_beam_width(in_pipeline, xmc_data, fit_sizes):
    X, Y = xmc_data
    model = classifier(beam_width=7)
    estimator = make_pipeline(Normalizer(), model) if in_pipeline else model
    curve = beam_width_curve(estimator, X, Y, BEAMS, scoring=P5, cv=KFold(3))
    assert fit_sizes == [400, 400, 400]
    assert model.beam_width == 7
    assert curve.beam_width.tolist() == BEAMS
    assert curve.test_score.shape == curve.seconds_per_row.shape == (3, 3)
    assert np.all(curve.seconds_per_row > 0)
    for beam, scores in zip(BEAMS, curve.test_score, strict=True):
        model.set_params(beam_width=beam)
        expected = cross_val_score(estimator, X, Y, scoring=P5, cv=KFold(3))
        np.testing.assert_array_equal(scores, expected)
    assert curve.test_score[1].mean() < curve.test_score[0].mean()


def test_beam_width_curve_with_prefit_restores_beam_width(xmc_data, fit_sizes):
    X, Y = xmc_data
    model = classifier(beam_width=7).fit(X[:400], Y[:400])
    scoring = {"P1": topk_scorer("precision", k=1), "P5": P5}
    curve = beam_width_curve(model, X[400:], Y[400:], [1, 4], scoring=scoring, cv="prefit")
    assert fit_sizes == [400]
    assert model.beam_width == 7
    assert set(curve) == {"beam_width", "test_P1", "test_P5", "seconds_per_row"}
    assert curve.beam_width.dtype == np.int64
    for beam, score in zip([1, 4], curve.test_P5, strict=True):
        assert score == [P5(model.set_params(beam_width=beam), X[400:], Y[400:])]
    default = beam_width_curve(model, X[400:], Y[400:], [1, 4], cv="prefit")
    np.testing.assert_array_equal(default.test_score, curve.test_P1)

    def failing_scorer(estimator, X, y):
        raise RuntimeError("scorer")

    with pytest.raises(RuntimeError, match="scorer"):
        beam_width_curve(model, X, Y, [1], scoring=failing_scorer, cv="prefit")
    assert model.beam_width == 4


def test_beam_width_curve_indexes_params_with_training_rows(xmc_data):
    X, Y = xmc_data
    weights = np.random.default_rng(0).random(600) + 0.1
    settings = {"scoring": P5, "cv": 2, "params": {"sample_weight": weights}}
    curve = beam_width_curve(classifier(), X, Y, [10], **settings)
    np.testing.assert_array_equal(
        curve.test_score[0], cross_val_score(classifier(), X, Y, **settings)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beams": [1, 0]}, "beams must contain positive integers or None; got 0"),
        ({"beams": [2.0]}, "beams must .*; got 2.0"),
        ({"beams": []}, "beams must contain at least one beam width; got an empty"),
        ({"estimator": LogisticRegression()}, "beam_width.* got LogisticRegression"),
        ({"estimator": make_pipeline(LogisticRegression())}, "beam_width.* got Pipeline"),
        ({"scoring": "nothing"}, "nothing"),
        ({"cv": "later"}, "cv"),
        ({"k": 0}, "'k'"),
        ({"beams": 5}, "'beams'"),
        (
            {"cv": "prefit", "params": {"sample_weight": [1.0]}},
            "params must be None .*; got {",
        ),
        ({"cv": "prefit", "groups": [1]}, r"groups must be None .*; got \[1\]"),
    ],
)
def test_beam_width_curve_raises_for_invalid_arguments_before_any_fit(
    arguments, message, xmc_data, fit_sizes
):
    X, Y = xmc_data
    settings = {"estimator": classifier(), "beams": [1], **arguments}
    estimator, beams = settings.pop("estimator"), settings.pop("beams")
    with pytest.raises(ValueError, match=message):
        beam_width_curve(estimator, X, Y, beams, **settings)
    assert not fit_sizes


def test_beam_width_curve_with_prefit_raises_if_not_fitted(xmc_data):
    with pytest.raises(NotFittedError):
        beam_width_curve(classifier(), *xmc_data, [1], cv="prefit")
