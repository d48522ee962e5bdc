"""`beam_width_curve`: what each width scores, and takes, with one fit for each split."""

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
def fits(monkeypatch):
    """The numbers of rows of all fits."""
    rows = []
    fit = XRLinearClassifier.fit

    def counting(self, X, y, **params):
        rows.append(X.shape[0])
        return fit(self, X, y, **params)

    monkeypatch.setattr(XRLinearClassifier, "fit", counting)
    return rows


def classifier(**params):
    return XRLinearClassifier(4, 5, random_state=0, **params)


@pytest.mark.parametrize("piped", [False, True])
def test_scores_are_those_of_fits_with_each_width(piped, xmc_data, fits):
    X, Y = xmc_data
    model = classifier(beam_width=7)
    estimator = make_pipeline(Normalizer(), model) if piped else model
    curve = beam_width_curve(estimator, X, Y, BEAMS, scoring=P5, cv=KFold(3))
    assert fits == [400, 400, 400]
    assert model.beam_width == 7
    assert curve.beam_width.tolist() == BEAMS
    assert curve.test_score.shape == curve.seconds_per_row.shape == (3, 3)
    assert np.all(curve.seconds_per_row > 0)
    for beam, scores in zip(BEAMS, curve.test_score, strict=True):
        model.set_params(beam_width=beam)
        expected = cross_val_score(estimator, X, Y, scoring=P5, cv=KFold(3))
        np.testing.assert_array_equal(scores, expected)
    assert curve.test_score[1].mean() < curve.test_score[0].mean()


def test_a_fitted_model_is_left_as_it_was(xmc_data, fits):
    X, Y = xmc_data
    model = classifier(beam_width=7).fit(X[:400], Y[:400])
    scoring = {"P1": topk_scorer("precision", k=1), "P5": P5}
    curve = beam_width_curve(model, X[400:], Y[400:], [1, 4], scoring=scoring, cv="prefit")
    assert fits == [400]
    assert model.beam_width == 7
    assert set(curve) == {"beam_width", "test_P1", "test_P5", "seconds_per_row"}
    assert curve.beam_width.dtype == np.int64
    for beam, score in zip([1, 4], curve.test_P5, strict=True):
        assert score == [P5(model.set_params(beam_width=beam), X[400:], Y[400:])]
    default = beam_width_curve(model, X[400:], Y[400:], [1, 4], cv="prefit")
    np.testing.assert_array_equal(default.test_score, curve.test_P1)

    def broken(estimator, X, y):
        raise RuntimeError("scorer")

    with pytest.raises(RuntimeError, match="scorer"):
        beam_width_curve(model, X, Y, [1], scoring=broken, cv="prefit")
    assert model.beam_width == 4


def test_arguments_of_fit_are_cut_to_the_rows(xmc_data):
    X, Y = xmc_data
    weights = np.random.default_rng(0).random(600) + 0.1
    settings = {"scoring": P5, "cv": 2, "params": {"sample_weight": weights}}
    curve = beam_width_curve(classifier(), X, Y, [10], **settings)
    np.testing.assert_array_equal(
        curve.test_score[0], cross_val_score(classifier(), X, Y, **settings)
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"beams": [1, 0]}, "beams must be integers from 1 up, or None; got 0"),
        ({"beams": [2.0]}, "beams must be .* got 2.0"),
        ({"beams": []}, "beams must hold at least one"),
        ({"estimator": LogisticRegression()}, "beam_width.* got LogisticRegression"),
        ({"estimator": make_pipeline(LogisticRegression())}, "beam_width.* got Pipeline"),
        ({"scoring": "nothing"}, "nothing"),
        ({"cv": "later"}, "cv"),
        ({"k": 0}, "'k'"),
        ({"beams": 5}, "'beams'"),
        ({"cv": "prefit", "params": {"sample_weight": [1.0]}}, "params would not be used"),
        ({"cv": "prefit", "groups": [1]}, "groups would not be used"),
    ],
)
def test_what_is_wrong_is_refused_before_any_fit(wrong, message, xmc_data, fits):
    X, Y = xmc_data
    settings = {"estimator": classifier(), "beams": [1], **wrong}
    estimator, beams = settings.pop("estimator"), settings.pop("beams")
    with pytest.raises(ValueError, match=message):
        beam_width_curve(estimator, X, Y, beams, **settings)
    assert not fits


def test_what_is_not_fitted_is_not_prefit(xmc_data):
    with pytest.raises(NotFittedError):
        beam_width_curve(classifier(), *xmc_data, [1], cv="prefit")
