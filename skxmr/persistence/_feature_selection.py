"""Codec of `SelectKBest`. Its score function is saved by name."""

import numpy as np
from sklearn import feature_selection
from sklearn.feature_selection import SelectKBest

from skxmr._core.encoding import UNSAVABLE_ADVICE
from skxmr.persistence._checked_codec import make_codec
from skxmr.persistence._fitted_checks import (
    check_input_features,
    check_is_complete,
    check_numbers,
    is_fitted,
)

SCORE_FUNCTIONS = {
    name: getattr(feature_selection, name)
    for name in (
        *("chi2", "f_classif", "f_regression"),
        *("mutual_info_classif", "mutual_info_regression"),
    )
}


def check_selector(selector):
    """Raise an error if a `SelectKBest` is invalid."""
    _name_of(selector.score_func)
    selector._validate_params()
    if not is_fitted(selector):
        return
    check_is_complete(selector, ["scores_", "pvalues_"])
    n_features, _ = check_input_features(selector)
    scores = selector.scores_
    # Integers if mutual information is zero for all features.
    is_valid = isinstance(scores, np.ndarray) and scores.dtype.kind in "iuf"
    if not is_valid or scores.shape != (n_features,):
        raise ValueError(f"scores_ must be {n_features} numbers")
    check_numbers(selector, "pvalues_", (n_features,), optional=True)


def _name_of(function):
    for name, known in SCORE_FUNCTIONS.items():
        if function is known:
            return name
    raise TypeError(
        f"score_func of SelectKBest must be one of {', '.join(SCORE_FUNCTIONS)}; got "
        f"{getattr(function, '__qualname__', function)!r}. {UNSAVABLE_ADVICE}"
    )


def _change_fields(params, fitted):
    params["score_func"] = _name_of(params["score_func"])


def _restore_fields(params, fitted):
    name = params["score_func"]
    if type(name) is not str or name not in SCORE_FUNCTIONS:
        raise ValueError(f"score_func must be one of {', '.join(SCORE_FUNCTIONS)}; got {name!r}")
    params["score_func"] = SCORE_FUNCTIONS[name]


FEATURE_SELECTION_CODECS = {
    "SelectKBest": make_codec(SelectKBest, check_selector, _change_fields, _restore_fields)
}
