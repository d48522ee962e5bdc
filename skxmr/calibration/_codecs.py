"""Codecs of the classes of this package, for `save_model`."""

import numpy as np
from sklearn.base import BaseEstimator

from skxmr._core.encoding import ClassCodec
from skxmr._core.model_folder import estimator_codec
from skxmr.calibration._calibrated_classifier import CalibratedMultilabelClassifierCV
from skxmr.calibration._score_maps import SCORE_MAPS, IsotonicMap, SigmoidMap
from skxmr.calibration._tuned_threshold import TunedThresholdMultilabelClassifierCV


def check_calibrated(classifier):
    """Raise a ValueError if a loaded `CalibratedMultilabelClassifierCV` is invalid."""
    fitted = _check_classifier(classifier)
    if fitted is None:
        return
    if type(fitted["calibrator_"]) not in SCORE_MAPS.values():
        raise ValueError("calibrator_ must be a map of scores")
    if type(fitted["_topk_returns_proba"]) is not bool:
        raise ValueError("_topk_returns_proba must be a bool")


def check_tuned(classifier):
    """Raise a ValueError if a loaded `TunedThresholdMultilabelClassifierCV` is invalid."""
    fitted = _check_classifier(classifier)
    if fitted is None:
        return
    thresholds = fitted["thresholds_"]
    is_valid = isinstance(thresholds, np.ndarray) and thresholds.dtype == np.float32
    if not is_valid or thresholds.shape != fitted["classes_"].shape:
        raise ValueError("thresholds_ must have one float32 per label")
    if not isinstance(fitted["best_score_"], (float, np.floating)):
        raise ValueError("best_score_ must be a float")


def _check_classifier(classifier):
    """Return the attributes of a fitted classifier after checking them; None if not fitted."""
    classifier._validate_params()
    fitted = vars(classifier)
    if not any(name.endswith("_") for name in fitted):
        return None
    estimator, classes = fitted["estimator_"], fitted["classes_"]
    if not (isinstance(estimator, BaseEstimator) and hasattr(estimator, "predict_proba")):
        raise ValueError("estimator_ must have predict_proba")
    if not (isinstance(classes, np.ndarray) and classes.ndim == 1):
        raise ValueError("classes_ must be a 1-D array")
    if np.shape(getattr(estimator, "classes_", None)) != classes.shape:
        raise ValueError("classes_ must have one entry per label of estimator_")
    for name in ("_predicts_names", "_is_target_sparse"):
        if type(fitted[name]) is not bool:
            raise ValueError(f"{name} must be a bool")
    dtype = fitted["_target_dtype"]
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biuf":
        raise ValueError("_target_dtype must be a dtype of numbers")
    return fitted


def _make_sigmoid_map(fields):
    slope, intercept = fields["slope"], fields["intercept"]
    if not all(type(value) is float and np.isfinite(value) for value in (slope, intercept)):
        raise ValueError("slope and intercept must be finite floats")
    if slope < 0:
        raise ValueError(f"slope must not be negative; got {slope}")
    return SigmoidMap.from_attributes(slope, intercept)


def _make_isotonic_map(fields):
    x, y = fields["x"], fields["y"]
    for values in (x, y):
        if not (isinstance(values, np.ndarray) and values.dtype == np.float64):
            raise ValueError("the thresholds of an isotonic map must be float64")
        if values.shape != (x.size,) or not values.size or not np.isfinite(values).all():
            raise ValueError("the thresholds of an isotonic map must be finite numbers")
        if np.any(np.diff(values) < 0):
            raise ValueError("the thresholds of an isotonic map must increase")
    return IsotonicMap.from_attributes(x, y)


def _make_classifier_codec(cls, check):
    codec = estimator_codec(cls, check_fitted=check)

    def to_fields(classifier):
        check(classifier)
        fields = codec.to_fields(classifier)
        # A fit does not copy a FrozenEstimator: both attributes are one object, saved once.
        if fields["fitted"].get("estimator_") is fields["params"]["estimator"]:
            del fields["fitted"]["estimator_"]
        return fields

    def from_fields(fields):
        fitted = dict(fields["fitted"])
        if fitted:
            fitted.setdefault("estimator_", fields["params"]["estimator"])
        return codec.from_fields({**fields, "fitted": fitted})

    return ClassCodec(cls, to_fields, from_fields)


CALIBRATION_CODECS = {
    "CalibratedMultilabelClassifierCV": _make_classifier_codec(
        CalibratedMultilabelClassifierCV, check_calibrated
    ),
    "TunedThresholdMultilabelClassifierCV": _make_classifier_codec(
        TunedThresholdMultilabelClassifierCV, check_tuned
    ),
    "SigmoidMap": ClassCodec(
        SigmoidMap,
        lambda score_map: {"slope": score_map.slope, "intercept": score_map.intercept},
        _make_sigmoid_map,
    ),
    "IsotonicMap": ClassCodec(
        IsotonicMap, lambda score_map: {"x": score_map.x, "y": score_map.y}, _make_isotonic_map
    ),
}
