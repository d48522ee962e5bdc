"""Searches of scikit-learn and cross-validation of skxmr never create a dense array of labels."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
)

from helpers import quick
from skxmr import XRLinearClassifier, model_selection
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import topk_scorer
from skxmr.model_selection import IterativeStratification

N_SAMPLES, N_LABELS = 6_000, 20_000
GRID = {"beam_width": [1, 2]}
P1 = topk_scorer("precision", k=1)
SEARCHES = {
    "grid": (GridSearchCV, {}),
    "halving": (HalvingGridSearchCV, {"factor": 2, "min_resources": 3_000}),
    "randomized": (RandomizedSearchCV, {"n_iter": 1, "random_state": 0}),
    "halving-randomized": (
        HalvingRandomSearchCV,
        {"factor": 2, "min_resources": 3_000, "random_state": 0},
    ),
    "halving-max-iter": (
        HalvingGridSearchCV,
        {"factor": 2, "resource": "max_iter", "max_resources": 2},
    ),
}


@pytest.fixture(scope="module")
def large():
    return make_extreme_multilabel(
        n_samples=N_SAMPLES,
        n_features=2000,
        n_labels=N_LABELS,
        n_features_per_sample=5,
        n_labels_per_sample=2,
        random_state=0,
    )


def classifier(**params):
    return XRLinearClassifier(random_state=0, tol=10.0, **params)


@pytest.fixture
def no_dense_array():
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A dense array would take 120 MB with one byte per entry.
    assert peak < N_SAMPLES * N_LABELS / 4


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.usefixtures("no_dense_array")
@pytest.mark.parametrize("name", quick.first(2, list(SEARCHES)))
def test_searches_of_scikit_learn_accept_sparse_y(name, large):
    X, Y = large
    search_class, settings = SEARCHES[name]
    search = search_class(
        classifier(), GRID, scoring=P1, cv=KFold(2), error_score="raise", **settings
    ).fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    if name.startswith("halving"):
        assert search.n_resources_[1] == 2 * search.n_resources_[0]
    predicted = search.predict(X[:100])
    assert sp.issparse(predicted)
    assert predicted.shape == (100, N_LABELS)


@pytest.mark.slow(reason="eleven fits of 20,000 labels")
@pytest.mark.usefixtures("no_dense_array")
def test_cross_validation_functions_accept_many_labels(large):
    X, Y = large
    scores = model_selection.cross_val_score(
        classifier(), X, Y, scoring=P1, cv=IterativeStratification(2)
    )
    assert scores.shape == (2,)
    for method in ("predict_proba", "predict_topk"):
        predictions = model_selection.cross_val_predict(
            classifier(beam_width=2), X, Y, cv=2, method=method, k=3
        )
        assert (predictions[0] if method == "predict_topk" else predictions).shape[0] == N_SAMPLES
    sizes, *_ = model_selection.learning_curve(
        classifier(), X, Y, scoring=P1, cv=2, train_sizes=[1500, 3000]
    )
    assert sizes.tolist() == [1500, 3000]
    curve = model_selection.beam_width_curve(classifier(), X, Y, [1, 2], cv=2)
    assert curve.test_score.shape == (2, 2)


def test_halving_search_requires_min_resources_for_sparse_y(xmc_data):
    # The user guide documents this. The test fails if scikit-learn changes it.
    X, Y = xmc_data
    search = HalvingGridSearchCV(
        classifier(max_leaf_size=20), GRID, scoring=P1, cv=KFold(2), random_state=0
    )
    with pytest.raises(TypeError, match="Sparse data was passed for y"):
        search.fit(X, Y)
    dense = search.set_params(min_resources=100).fit(X, Y.toarray())
    sparse = HalvingGridSearchCV(**dense.get_params(deep=False)).fit(X, Y)
    np.testing.assert_array_equal(
        sparse.cv_results_["mean_test_score"], dense.cv_results_["mean_test_score"]
    )
    assert sparse.best_params_ == dense.best_params_
