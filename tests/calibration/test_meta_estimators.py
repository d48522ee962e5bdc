"""Both meta-estimators in scikit-learn: common checks, searches, pipelines, pickles, bad input."""

import pickle
import tracemalloc
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, check_X_y, column_or_1d

from helpers import quick
from skxmr import XRLinearClassifier
from skxmr.calibration import (
    CalibratedMultilabelClassifierCV,
    TunedThresholdMultilabelClassifierCV,
    _held_out,
)
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import topk_scorer

METAS = [CalibratedMultilabelClassifierCV, TunedThresholdMultilabelClassifierCV]
P1 = topk_scorer("precision", k=1)
both_meta_estimators = pytest.mark.parametrize("meta", METAS, ids=lambda meta: meta.__name__)


class SingleLabelMixin:
    """Accept single-label classes, as the common checks of scikit-learn require."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = True
        return tags

    def fit(self, X, y):
        self._is_single_label = (y is not None and np.asarray(y).ndim < 2) or np.shape(y)[-1:] == (
            1,
        )
        if not self._is_single_label:
            return super().fit(X, y)
        check_X_y(X, y, accept_sparse=["csr", "csc"], dtype=None, ensure_min_samples=2)
        check_classification_targets(y)
        classes, codes = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        if len(classes) < 2:
            raise ValueError("y must have at least 2 classes; it has 1 class.")
        super().fit(X, np.eye(len(classes), dtype=int)[codes])
        self.classes_ = classes
        return self

    def predict_proba(self, X):
        proba = super().predict_proba(X)
        return proba / proba.sum(axis=1, keepdims=True) if self._is_single_label else proba

    def predict(self, X):
        check_is_fitted(self)
        if not self._is_single_label:
            return super().predict(X)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class CalibratedSingleLabel(SingleLabelMixin, CalibratedMultilabelClassifierCV):
    pass


class TunedThresholdSingleLabel(SingleLabelMixin, TunedThresholdMultilabelClassifierCV):
    pass


XR = XRLinearClassifier(random_state=0)
OVR = OneVsRestClassifier(LogisticRegression(solver="newton-cholesky"))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([CalibratedSingleLabel(XR, cv=2)])
def test_meta_estimators_pass_common_checks(estimator, check):
    check(estimator)


@pytest.mark.slow(reason="repeats the common checks for more parameters")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:Label .* is present in all")  # in a fold without a class
@parametrize_with_checks(
    [
        CalibratedSingleLabel(OVR, cv=2, method="sigmoid"),
        TunedThresholdSingleLabel(XR, cv=2),
        TunedThresholdSingleLabel(OVR, cv=2, average="samples"),
        TunedThresholdSingleLabel(XR, cv=2, average="macro", per_label=True),
    ]
)
def test_meta_estimators_with_more_parameters_pass_common_checks(estimator, check):
    check(estimator)


@both_meta_estimators
def test_grid_search_sets_parameters_of_meta_estimator_and_estimator(meta, xmc_data):
    X, Y = xmc_data
    grid = {"method": ["isotonic", "sigmoid"]}
    if meta is TunedThresholdMultilabelClassifierCV:
        grid = {"average": ["micro", "samples"]}
    search = GridSearchCV(
        meta(XR, cv=2),
        {"estimator__beam_width": [1, 10], **grid},
        scoring={"P1": topk_scorer("precision", k=1), "F1": "f1_micro"},
        refit="P1",
        cv=2,
    ).fit(X, Y)
    assert search.best_params_["estimator__beam_width"] == 10
    assert np.all(search.cv_results_["mean_test_F1"] > 0)
    assert search.predict(X).shape == Y.shape


@both_meta_estimators
def test_meta_estimators_accept_texts_with_a_pipeline_inside_or_outside(meta):
    texts = ["sparse matrix solver", "fast fourier transform", "linear classifier for text"] * 20
    Y = sp.csr_matrix(np.tile(np.eye(3, dtype=int), (20, 1)))
    inside = meta(make_pipeline(TfidfVectorizer(), XR), cv=3).fit(texts, Y)
    outside = make_pipeline(TfidfVectorizer(), meta(XR, cv=3)).fit(texts, Y)
    for model in (inside, outside):
        np.testing.assert_array_equal(model.predict(texts[1:3]).toarray(), Y[1:3].toarray())
    rows = outside[:-1].transform(texts[:5])
    expected = outside[-1].predict_topk(rows, k=2)
    for array, expected_array in zip(inside.predict_topk(texts[:5], k=2), expected, strict=True):
        np.testing.assert_array_equal(array, expected_array)
    unranked = meta(make_pipeline(TfidfVectorizer(), OneVsRestClassifier(LogisticRegression())))
    assert not hasattr(unranked, "predict_topk")


@both_meta_estimators
def test_meta_estimators_can_wrap_calibrated_classifier(meta, xmc_data):
    X, Y = xmc_data
    inner = CalibratedMultilabelClassifierCV(XR, cv=2)
    model = meta(inner, cv=2).fit(X, Y)
    assert model.predict(X).shape == Y.shape
    assert np.all(model.predict_topk(X, k=1)[1] < 1)


@both_meta_estimators
@pytest.mark.parametrize("container", [sp.csc_matrix, sp.coo_array, sp.lil_array, np.asarray])
def test_predictions_are_equal_for_all_formats_and_row_orders(meta, container, xmc_data):
    X, Y = xmc_data
    model = meta(XR, cv=2).fit(X, Y)
    y = Y.toarray() if container is np.asarray else container(Y)
    again = meta(XR, cv=2).fit(X.tocsc(), y)
    predicted = again.predict(X.tocoo())
    expected = model.predict(X)
    assert sp.issparse(predicted) == (container is not np.asarray)
    assert predicted.dtype == Y.dtype
    difference = predicted != (expected if sp.issparse(predicted) else expected.toarray())
    assert difference.sum() == 0
    order = np.random.default_rng(0).permutation(X.shape[0])
    assert (model.predict_proba(X[order]) != model.predict_proba(X)[order]).nnz == 0


@both_meta_estimators
def test_predictions_do_not_depend_on_n_jobs(meta, xmc_data):
    X, Y = xmc_data
    one, two = (meta(XR, cv=2, n_jobs=n_jobs).fit(X, Y) for n_jobs in (1, 2))
    assert (one.predict_proba(X) != two.predict_proba(X)).nnz == 0
    assert (one.predict(X) != two.predict(X)).nnz == 0


@both_meta_estimators
def test_predictions_do_not_depend_on_block_size(meta, xmc_data, monkeypatch):
    X, Y = xmc_data
    model = meta(XR, cv=2).fit(X, Y)
    proba, predicted = model.predict_proba(X), model.predict(X)
    monkeypatch.setattr(_held_out, "_ROWS_PER_BLOCK", 70)
    again = meta(XR, cv=2).fit(X, Y)
    assert (again.predict_proba(X) != proba).nnz == 0
    assert (again.predict(X) != predicted).nnz == 0


@both_meta_estimators
def test_meta_estimators_can_be_pickled_and_cloned(meta, xmc_data):
    X, Y = xmc_data
    model = meta(XR, cv=2).fit(X, Y)
    copy = pickle.loads(pickle.dumps(model))
    assert (copy.predict_proba(X) != model.predict_proba(X)).nnz == 0
    assert (copy.predict(X) != model.predict(X)).nnz == 0
    again = clone(model)
    assert not hasattr(again, "estimator_")
    assert (again.fit(X, Y).predict(X) != model.predict(X)).nnz == 0
    again.set_params(estimator__beam_width=3, cv=3)
    assert again.get_params()["estimator__beam_width"] == 3


class Recorder(XRLinearClassifier):
    """Record the arguments of each fit."""

    calls = []

    def fit(self, X, y, sample_weight=None, note=None):
        self.calls.append((X.shape[0], sample_weight, note))
        return super().fit(X, y)


@both_meta_estimators
def test_fit_params_are_indexed_with_rows_of_fold(meta, xmc_data):
    X, Y = xmc_data
    Recorder.calls.clear()
    weights = np.arange(X.shape[0])
    cv = ShuffleSplit(1, test_size=100, random_state=0)
    meta(Recorder(random_state=0), cv=cv).fit(X, Y, sample_weight=weights, note="as it is")
    train, _ = next(cv.split(X))
    (n_fold, fold_weights, note), (n_all, all_weights, _) = Recorder.calls
    assert (n_fold, n_all, note) == (len(train), X.shape[0], "as it is")
    np.testing.assert_array_equal(fold_weights, weights[train])
    np.testing.assert_array_equal(all_weights, weights)


@both_meta_estimators
def test_fit_raises_for_invalid_input_and_keeps_fitted_state(meta, xmc_data):
    X, Y = xmc_data
    model = meta(XR, cv=2).fit(X, Y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="must be an indicator of shape .* CalibratedClassifierCV"):
        model.fit(X, np.arange(X.shape[0]))
    with pytest.raises(ValueError, match="0 and 1; got the value"):
        model.fit(X, Y * 2)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, Y[:-1])
    with pytest.raises(ValueError, match="n_splits=1000"):
        model.set_params(cv=1000).fit(X, Y)
    assert (model.predict(X) != before).nnz == 0
    with pytest.raises(ValueError, match="'estimator' parameter .* 'predict_proba'"):
        meta(LinearSVC()).fit(X, Y)
    with pytest.raises(ValueError, match="'n_jobs' parameter"):
        meta(XR, n_jobs="two").fit(X, Y)
    forest = RandomForestClassifier(n_estimators=2)
    with pytest.raises(ValueError, match="one matrix with the 3 columns of y; got a list"):
        meta(forest, cv=2).fit(X, Y[:, :3].toarray())


@both_meta_estimators
def test_metadata_routing_passes_weights_to_the_estimator(meta, xmc_data):
    X, Y = xmc_data
    weights = np.random.default_rng(0).random(600) + 0.1
    expected = meta(XR, cv=2).fit(X, Y, sample_weight=weights)
    with config_context(enable_metadata_routing=True):
        model = meta(clone(XR).set_fit_request(sample_weight=True), cv=2)
        fitted = clone(model).fit(X, Y, sample_weight=weights)
        search = GridSearchCV(model, {"cv": [2]}, scoring=P1, cv=KFold(2))
        search.fit(X, Y, sample_weight=weights)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            meta(XR, cv=2).fit(X, Y, sample_weight=weights)
        renamed = meta(clone(XR).set_fit_request(sample_weight="w"), cv=2).fit(X, Y, w=weights)
        plain = meta(clone(XR).set_fit_request(sample_weight=False), cv=2).fit(X, Y)
        assert "score': {'sample_weight': 'w'" in str(
            model.set_score_request(sample_weight="w").get_metadata_routing()
        )
    for other in (fitted, search, renamed):
        assert (other.predict_proba(X) != expected.predict_proba(X)).nnz == 0
    assert (plain.predict_proba(X) != expected.predict_proba(X)).nnz > 0


@both_meta_estimators
def test_fit_raises_if_scores_are_not_probabilities(meta, xmc_data):
    X, Y = xmc_data

    class Margins(XRLinearClassifier):
        def predict_proba(self, X):
            return super().predict_proba(X) * 2

    with pytest.raises(ValueError, match=r"must return values in \[0, 1\]; got"):
        meta(Margins(), cv=2).fit(X, Y)
    frozen = FrozenEstimator(XR.__class__().fit(X, Y[:, :20]))
    with pytest.raises(ValueError, match="y must have 20 columns, .*; got 150"):
        meta(frozen).fit(X, Y)


@pytest.fixture(scope="module")
def many_labels():
    X, Y = make_extreme_multilabel(
        n_samples=8_000,
        n_features=3000,
        n_labels=30_000,
        n_features_per_sample=10,
        n_labels_per_sample=4,
        random_state=0,
    )
    inner = XRLinearClassifier(random_state=0, tol=10.0, beam_width=2)
    return X, Y, FrozenEstimator(inner.fit(X, Y))


@pytest.mark.parametrize(
    "meta",
    quick.first(
        2,
        [
            CalibratedMultilabelClassifierCV,
            TunedThresholdMultilabelClassifierCV,
            partial(TunedThresholdMultilabelClassifierCV, average="samples"),
            partial(TunedThresholdMultilabelClassifierCV, average="macro", per_label=True),
        ],
    ),
)
def test_memory_is_far_below_a_dense_matrix(meta, many_labels):
    X, Y, inner = many_labels
    tracemalloc.start()
    try:
        model = meta(inner).fit(X, Y)
        predicted, proba = model.predict(X), model.predict_proba(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert predicted.shape == proba.shape == Y.shape
    assert predicted.nnz > 0
    # A dense matrix would take 240 MB with one byte per entry.
    assert peak < min(100e6, 70 * proba.nnz)
