"""Helpers for estimators of the user."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier
from skxmr._core.estimators import freeze_params, predict_topk_of
from skxmr.calibration import CalibratedMultilabelClassifierCV

TEXTS = ["sparse matrix", "sparse solver", "fourier transform", "wavelet transform"]


def test_freeze_params_copies_nested_estimators_and_shares_arrays():
    pipeline = make_pipeline(TfidfVectorizer(), XRLinearClassifier()).fit(TEXTS, [0, 0, 1, 1])
    frozen = freeze_params(pipeline)
    pipeline.set_params(xrlinearclassifier__beam_width=1)
    assert frozen[-1].beam_width == 10
    assert frozen[-1]._model is pipeline[-1]._model
    pipeline.set_params(xrlinearclassifier="passthrough")
    assert isinstance(frozen[-1], XRLinearClassifier)


def test_predict_topk_of_rejects_estimators_without_rankings():
    with pytest.raises(TypeError, match="estimator must have predict_topk.* got TfidfVectorizer"):
        predict_topk_of(TfidfVectorizer().fit(TEXTS), TEXTS)


class ChangedByAnotherThread(XRLinearClassifier):
    """Classifier whose beam width is changed during each prediction."""

    changed = None

    def predict_proba(self, X):
        proba = super().predict_proba(X)
        if self.changed is not None:
            self.changed.set_params(beam_width=1)
        return proba


def test_calibrated_predictions_in_blocks_have_one_beam_width(xmc_data, monkeypatch):
    X, Y = xmc_data
    model = ChangedByAnotherThread(4, 10, score_transform="log-l3-hinge", random_state=0)
    calibrated = CalibratedMultilabelClassifierCV(model, cv=2).fit(X, Y)
    monkeypatch.setattr("skxmr.calibration._held_out._ROWS_PER_BLOCK", 100)
    expected = calibrated.predict_proba(X), calibrated.predict_topk(X, 50)
    monkeypatch.setattr(ChangedByAnotherThread, "changed", calibrated.estimator_)
    proba = calibrated.predict_proba(X)
    assert calibrated.estimator_.beam_width == 1
    assert (proba != expected[0]).nnz == 0
    calibrated.estimator_.set_params(beam_width=10)
    for part, want in zip(calibrated.predict_topk(X, 50), expected[1], strict=True):
        np.testing.assert_array_equal(part, want)
