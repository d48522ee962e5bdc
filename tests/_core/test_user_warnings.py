"""Warnings name the line of the user's code."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

import skxmr
from skxmr import XRLinearClassifier
from skxmr._core.user_warnings import warn_user
from skxmr.metrics import precision_at_k


def fit(model, data):
    return model.fit(*data)


def score_labels(model, data):
    # The labels of a row are joined to one string: a common mistake.
    return model.fit(data[0], np.array(["a,b", "a,c", "b,c"] * 200))


def predict_long_rows(model, data):
    model = XRLinearClassifier(random_state=0).fit(*data)
    return model.predict_topk(data[0] * 1e9)


@pytest.mark.parametrize("call", [fit, score_labels, predict_long_rows])
@pytest.mark.parametrize("is_searched", [False, True])
def test_warnings_name_the_file_of_the_user(call, is_searched, xmc_data):
    model = XRLinearClassifier(max_iter=1, tol=1e-9, random_state=0)
    if is_searched:
        model = GridSearchCV(model, {"C": [1.0]}, cv=2, scoring=lambda *args: 0.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(model, xmc_data)
    assert caught
    assert {warning.filename for warning in caught} == {__file__}


def test_warnings_name_files_of_folders_whose_names_begin_like_a_library():
    file = f"{Path(skxmr.__file__).parent}_experiments/run.py"
    namespace = {}
    exec(compile("def call(f): f('message')", file, "exec"), namespace)
    with pytest.warns(UserWarning, match="message") as caught:
        namespace["call"](warn_user)
    assert caught[0].filename == file


def test_warnings_of_metrics_name_the_file_of_the_user():
    labels = np.array([[0, 1], [1, 0]])
    with pytest.warns(UserWarning, match="predict") as caught:
        precision_at_k(np.eye(2, dtype=int), labels, k=1)
    assert {warning.filename for warning in caught} == {__file__}
