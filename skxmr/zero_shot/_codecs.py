"""Codecs of the classes of this package, for `save_model`."""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator

from skxmr._core.arrays import plain_value
from skxmr._core.encoding import ClassCodec
from skxmr._core.model_folder import estimator_codec
from skxmr.zero_shot._classifier import LabelTextClassifier, check_places
from skxmr.zero_shot._precision_map import PrecisionMap
from skxmr.zero_shot._text_search import LabelTextSearch


def check_label_text_classifier(classifier):
    """Raise a ValueError if a loaded `LabelTextClassifier` is invalid."""
    classifier._validate_params()
    check_places(classifier.places)
    fitted = vars(classifier)
    if not any(name.endswith("_") for name in fitted):
        return
    estimator, classes, search = fitted["estimator_"], fitted["classes_"], fitted["_search"]
    if not (isinstance(estimator, BaseEstimator) and hasattr(estimator, "predict")):
        raise ValueError("estimator_ must have predict")
    if not (isinstance(classes, np.ndarray) and classes.ndim == 1):
        raise ValueError("classes_ must be a 1-D array")
    if type(search) is not LabelTextSearch or search.n_labels != len(classes):
        raise ValueError("_search must have one label per entry of classes_")
    if not np.array_equal(fitted["labels_without_rows_"], classes[search.new_columns]):
        raise ValueError("labels_without_rows_ must be the labels of _search")
    for name in ("_score_map", "_similarity_map"):
        if type(fitted[name]) is not PrecisionMap:
            raise ValueError(f"{name} must be a PrecisionMap")
    if fitted["_target_kind"] not in ("names", "sparse", "dense"):
        raise ValueError("_target_kind must be the format of y")
    if not isinstance(fitted["_target_dtype"], np.dtype):
        raise ValueError("_target_dtype must be a dtype")
    columns = fitted["_known_columns"]
    _check_increasing("_known_columns", columns, len(classes))
    if np.shape(getattr(estimator, "classes_", None)) != columns.shape:
        raise ValueError("_known_columns must have one entry per label of estimator_")


def _check_increasing(name, columns, n_labels):
    is_array = isinstance(columns, np.ndarray) and columns.dtype == np.int32 and columns.ndim == 1
    if not is_array or np.any(np.diff(columns) <= 0):
        raise ValueError(f"{name} must be an increasing int32 array")
    if len(columns) and not 0 <= columns[0] <= columns[-1] < n_labels:
        raise ValueError(f"{name} must have labels from 0 to {n_labels - 1}")


def _make_search(fields):
    vectors, columns, is_new = fields["vectors"], fields["columns"], fields["is_new"]
    n_labels = fields["n_labels"]
    if type(n_labels) is not int:
        raise ValueError("n_labels must be an int")
    _check_increasing("columns", columns, n_labels)
    is_matrix = isinstance(vectors, (np.ndarray, sp.csr_array)) and vectors.ndim == 2
    if not is_matrix or vectors.dtype != np.float32 or vectors.shape[0] != len(columns):
        raise ValueError("vectors must be a float32 matrix with one row per entry of columns")
    if not isinstance(is_new, np.ndarray) or is_new.dtype != bool or is_new.shape != columns.shape:
        raise ValueError("is_new must have one bool per entry of columns")
    return LabelTextSearch(vectors, columns, is_new, n_labels)


def _make_precision_map(fields):
    scores, precision = fields["scores"], fields["precision"]
    for values in (scores, precision):
        is_array = isinstance(values, np.ndarray) and values.dtype == np.float64
        if not is_array or values.shape != (scores.size,) or not values.size:
            raise ValueError("scores and precision must be float64 arrays of equal length")
        if not np.isfinite(values).all() or np.any(np.diff(values) < 0):
            raise ValueError("scores and precision must be finite and must not decrease")
    return PrecisionMap(scores, precision)


_ESTIMATOR_CODEC = estimator_codec(LabelTextClassifier, check_fitted=check_label_text_classifier)


def _to_fields(classifier):
    check_label_text_classifier(classifier)
    fields = _ESTIMATOR_CODEC.to_fields(classifier)
    label_texts = fields["params"]["label_texts"]
    if isinstance(label_texts, Mapping):
        # A dict in a file has only keys of type str.
        items = [(plain_value(label), str(text)) for label, text in label_texts.items()]
        fields["params"]["label_texts"] = items
    return fields


def _from_fields(fields):
    params = dict(fields["params"])
    if isinstance(params["label_texts"], list):
        params["label_texts"] = dict(params["label_texts"])
    return _ESTIMATOR_CODEC.from_fields({**fields, "params": params})


ZERO_SHOT_CODECS = {
    "LabelTextClassifier": ClassCodec(LabelTextClassifier, _to_fields, _from_fields),
    "LabelTextSearch": ClassCodec(
        LabelTextSearch,
        lambda search: {
            name: getattr(search, name) for name in ("vectors", "columns", "is_new", "n_labels")
        },
        _make_search,
    ),
    "PrecisionMap": ClassCodec(PrecisionMap, lambda m: m._asdict(), _make_precision_map),
}
