"""Results do not depend on threads and processes."""

import joblib
import numpy as np
import pytest
import scipy.sparse as sp

from helpers import quick
from helpers.models import assert_equal_models
from skxmr import XRLinearClassifier


def make_classifier(**params):
    return XRLinearClassifier(4, 10, random_state=0, **params)


@pytest.fixture(scope="module")
def fitted(xmc_data):
    return make_classifier().fit(*xmc_data)


@pytest.mark.parametrize("n_jobs", quick.first(1, [3, 2, -1]))
def test_n_jobs_does_not_change_results(n_jobs, xmc_data, fitted):
    model = make_classifier(n_jobs=n_jobs).fit(*xmc_data)
    assert_equal_models(model, fitted)
    X = sp.vstack([xmc_data[0]] * 8, format="csr")
    for got, expected in zip(model.predict_topk(X), fitted.predict_topk(X), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert (model.predict_proba(X) != fitted.predict_proba(X)).nnz == 0
    assert (model.predict(X) != fitted.predict(X)).nnz == 0


def test_joblib_processes_do_not_change_results(xmc_data, fitted):
    with joblib.parallel_config(backend="loky", n_jobs=2):
        model = make_classifier(n_jobs=2).fit(*xmc_data)
        ranking = model.predict_topk(xmc_data[0])
    assert_equal_models(model, fitted)
    np.testing.assert_array_equal(ranking[0], fitted.predict_topk(xmc_data[0])[0])
