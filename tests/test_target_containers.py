"""Every public function that takes targets accepts each container, and checks width and values."""

import io

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.model_selection
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold

from skxmr import XRLinearClassifier
from skxmr.calibration import (
    CalibratedMultilabelClassifierCV,
    TunedThresholdMultilabelClassifierCV,
)
from skxmr.datasets import dump_xmc_file
from skxmr.indexing import label_spectrum, positive_instance_features, positive_instance_indices
from skxmr.inspection import BeamWidthDisplay, CalibrationDisplay, LabelFrequencyDisplay
from skxmr.matching import NearestCentroidMatcher, NearestNeighborsMatcher
from skxmr.metrics import (
    calibration_curve,
    expected_calibration_error,
    label_propensities,
    ndcg_at_k,
    precision_at_k,
    psndcg_at_k,
    psprecision_at_k,
    recall_at_k,
    topk_scorer,
)
from skxmr.model_selection import (
    IterativeStratification,
    beam_width_curve,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)

P1 = topk_scorer("precision", k=1)
CV = KFold(2)


def make_classifier(**params):
    return XRLinearClassifier(4, 5, random_state=0, **params)


@pytest.fixture(scope="module")
def data(xmc_data):
    """Return 120 rows and 20 labels; the dense indicator has the dtype int64."""
    X, Y = xmc_data
    return X[:120], Y[:120, :20].toarray().astype(np.int64)


@pytest.fixture(scope="module")
def fitted(data):
    return make_classifier().fit(*data)


def as_frame(dtype):
    return lambda Y: pytest.importorskip("pandas").DataFrame(Y).astype(dtype)


def as_sparse_frame(Y):
    return pytest.importorskip("pandas").DataFrame.sparse.from_spmatrix(sp.csr_matrix(Y))


def as_coo_with_duplicates(Y):
    rows, columns = np.nonzero(Y)
    rows, columns = np.concatenate([rows, rows[:5]]), np.concatenate([columns, columns[:5]])
    return sp.coo_array((np.ones(len(rows), dtype=int), (rows, columns)), shape=Y.shape)


CONTAINERS = {
    "lists": lambda Y: Y.tolist(),
    "coo": as_coo_with_duplicates,
    "dok": sp.dok_array,
    "float16": lambda Y: Y.astype(np.float16),
    "big-endian": lambda Y: Y.astype(">i4"),
    "frame of Int64": as_frame("Int64"),
    "frame of boolean": as_frame("boolean"),
    "sparse frame": as_sparse_frame,
    "polars frame": lambda Y: pytest.importorskip("polars").DataFrame(Y),
}


def rank(model, X):
    return model.predict_topk(X, k=3)[1]


def compute_metrics(X, Y, model):
    ranking = model.predict_topk(X, k=3)
    values = [metric(Y, ranking, 3) for metric in (precision_at_k, recall_at_k, ndcg_at_k)]
    propensities = label_propensities(Y)
    for metric in (psprecision_at_k, psndcg_at_k):
        values.append(metric(Y, ranking, 3, propensities=propensities))
    curve = calibration_curve(Y, ranking, n_bins=3)
    return [*values, expected_calibration_error(Y, ranking), *propensities, *np.concatenate(curve)]


def stratify(X, Y, model):
    splits = IterativeStratification(3).split(X, Y)
    return np.concatenate([test for _, test in splits])


def score_candidates(X, Y, model):
    return model.score_candidates(X, Y).toarray()


def write_file(X, Y, model):
    file = io.BytesIO()
    dump_xmc_file(X, Y, file)
    return np.frombuffer(file.getvalue(), dtype=np.uint8)


CALLS = {
    "fit": lambda X, Y, m: rank(make_classifier().fit(X, Y), X),
    "negatives": lambda X, Y, m: rank(make_classifier(negatives=[Y, Y]).fit(X, Y), X),
    "node_targets": lambda X, Y, m: m.hierarchy_.node_targets(Y)[0].toarray(),
    "score": lambda X, Y, m: m.score(X, Y),
    "estimate_memory": lambda X, Y, m: m.estimate_memory(X, Y).weights,
    "score_candidates": score_candidates,
    "neighbors": lambda X, Y, m: rank_proba(NearestNeighborsMatcher().fit(X, Y), X),
    "centroids": lambda X, Y, m: NearestCentroidMatcher().fit(X, Y).score(X, Y),
    "calibration": lambda X, Y, m: rank(CalibratedMultilabelClassifierCV(m, cv=CV).fit(X, Y), X),
    "score of calibrated": lambda X, Y, m: (
        CalibratedMultilabelClassifierCV(FrozenEstimator(m), cv=CV).fit(X, Y).score(X, Y)
    ),
    "thresholds": lambda X, Y, m: (
        TunedThresholdMultilabelClassifierCV(m, cv=CV).fit(X, Y).thresholds_
    ),
    "metrics": compute_metrics,
    "scorer": lambda X, Y, m: P1(m, X, Y),
    "stratification": stratify,
    "cross_validate": lambda X, Y, m: cross_validate(m, X, Y, scoring=P1, cv=CV)["test_score"],
    "cross_val_score": lambda X, Y, m: cross_val_score(m, X, Y, cv=CV),
    "cross_val_predict": lambda X, Y, m: cross_val_predict(
        m, X, Y, cv=CV, method="predict_topk", k=3
    )[1],
    "learning_curve": lambda X, Y, m: learning_curve(
        m, X, Y, cv=CV, train_sizes=[1.0], scoring=P1, error_score="raise"
    )[2],
    "beam_width_curve": lambda X, Y, m: beam_width_curve(m, X, Y, [2], cv=CV).test_score,
    "pifa": lambda X, Y, m: positive_instance_features(X, Y).toarray(),
    "pii": lambda X, Y, m: positive_instance_indices(Y).toarray(),
    "spectrum": lambda X, Y, m: label_spectrum(Y, 3, random_state=0),
    "file": write_file,
}


def rank_proba(model, X):
    P = model.predict_proba(X)
    return (P.toarray() if sp.issparse(P) else P).round(5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", CALLS)
def test_function_accepts_every_container(name, container, data, fitted):
    X, dense = data
    Y = CONTAINERS[container](dense)
    reference = sp.csr_array(dense) if container in ("coo", "sparse frame") else dense
    expected = CALLS[name](X, reference, fitted)
    np.testing.assert_allclose(CALLS[name](X, Y, fitted), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["Int64", "Float64"])
def test_relevance_accepts_nullable_and_sparse_frames(dtype, data):
    pd = pytest.importorskip("pandas")
    X, Y = data
    relevance = Y * np.arange(1, 21)
    expected = rank(make_classifier().fit(X, Y, relevance=relevance), X)
    sparse = pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(relevance))
    halves = sp.coo_array(sp.csr_array(relevance / 2))
    doubled = sp.coo_array(
        (np.tile(halves.data, 2), tuple(np.tile(indices, 2) for indices in halves.coords)),
        shape=Y.shape,
    )
    weights = np.ones(len(Y))
    for value in (pd.DataFrame(relevance).astype(dtype), sparse, doubled):
        for params in ({}, {"sample_weight": weights}):
            model = make_classifier().fit(X, Y, relevance=value, **params)
            np.testing.assert_array_equal(rank(model, X), expected)


@pytest.mark.parametrize("dtype", ["Int64", "boolean"])
def test_cross_validate_of_scikit_learn_scores_nullable_frames(dtype, data):
    pd = pytest.importorskip("pandas")
    X, Y = data
    results = [
        sklearn.model_selection.cross_validate(make_classifier(), X, y, scoring=P1, cv=CV)
        for y in (Y, pd.DataFrame(Y).astype(dtype))
    ]
    assert results[0]["test_score"].min() > 0
    np.testing.assert_array_equal(results[1]["test_score"], results[0]["test_score"])


def test_displays_accept_sparse_frames(data, fitted):
    pytest.importorskip("matplotlib").use("Agg")
    X, Y = data
    frame = as_sparse_frame(Y)
    for display in (CalibrationDisplay, LabelFrequencyDisplay, BeamWidthDisplay):
        display.from_estimator(fitted, X, frame)


def test_nullable_integer_classes_remain_integers(data):
    pd = pytest.importorskip("pandas")
    X, _ = data
    classes = np.arange(len(X.toarray())) % 3 + 5
    model = make_classifier().fit(X, pd.Series(classes, dtype="Int64"))
    assert model.classes_.tolist() == [5, 6, 7]
    assert model.classes_.dtype == np.int64
    assert model.predict(X).dtype == np.int64
    assert model.score(X, pd.Series(classes, dtype="Int64")) == model.score(X, classes)


WIDTH_CALLS = {
    "score": lambda X, Y, m: m.score(X, Y),
    "scorer": lambda X, Y, m: P1(m, X, Y),
    "beam_width_curve": lambda X, Y, m: beam_width_curve(m, X, Y, [2], cv="prefit"),
    "beam_width_curve with a metric of scikit-learn": lambda X, Y, m: beam_width_curve(
        m, X, Y, [2], cv="prefit", scoring="f1_micro"
    ),
    "learning_curve": lambda X, Y, m: learning_curve(FrozenEstimator(m), X, Y, scoring=P1),
    "cross_validate": lambda X, Y, m: cross_validate(FrozenEstimator(m), X, Y, scoring=P1),
    "cross_val_predict": lambda X, Y, m: cross_val_predict(FrozenEstimator(m), X, Y),
    "calibration": lambda X, Y, m: CalibratedMultilabelClassifierCV(FrozenEstimator(m), cv=CV).fit(
        X, Y
    ),
    "thresholds": lambda X, Y, m: TunedThresholdMultilabelClassifierCV(
        FrozenEstimator(m), cv=CV
    ).fit(X, Y),
    "CalibrationDisplay": lambda X, Y, m: CalibrationDisplay.from_estimator(m, X, Y),
    "LabelFrequencyDisplay": lambda X, Y, m: LabelFrequencyDisplay.from_estimator(m, X, Y),
    "BeamWidthDisplay": lambda X, Y, m: BeamWidthDisplay.from_estimator(m, X, Y),
}


@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize("name", WIDTH_CALLS)
def test_another_width_of_y_is_an_error(name, container, data, fitted):
    X, Y = data
    for other in (Y[:, :-1], np.hstack([Y, Y[:, :2]])):
        message = rf"y must have 20 columns, .*; got {other.shape[1]}\."
        with pytest.raises(ValueError, match=message):
            WIDTH_CALLS[name](X, container(other), fitted)


def test_score_of_calibrated_classifier_checks_the_width(data, fitted):
    X, Y = data
    model = CalibratedMultilabelClassifierCV(FrozenEstimator(fitted), cv=CV).fit(X, Y)
    with pytest.raises(ValueError, match=r"y must have 20 columns, .*; got 19\."):
        model.score(X, Y[:, :-1])


@pytest.mark.parametrize("sparse", [False, True])
def test_score_is_the_subset_accuracy(sparse, data):
    X, Y = data
    model = make_classifier().fit(X[:60], sp.csr_array(Y[:60]) if sparse else Y[:60])
    predicted = model.predict(X)
    predicted = predicted.toarray() if sparse else predicted
    is_correct = (predicted == Y).all(axis=1)
    assert 0 < is_correct.mean() < 1
    weights = np.arange(len(Y))
    for y in (Y, sp.csr_array(Y), Y.tolist()):
        assert model.score(X, y) == is_correct.mean()
        assert model.score(X, y, weights) == pytest.approx(np.average(is_correct, weights=weights))


@pytest.mark.parametrize("n_labels", [1, 2])
def test_score_treats_one_or_two_sparse_columns_as_labels(n_labels, data):
    X, Y = data
    Y = sp.csr_matrix(Y[:, np.argsort(-Y.sum(axis=0))[:n_labels]])
    model = make_classifier().fit(X[:60], Y[:60])
    is_correct = (model.predict(X).toarray() == Y.toarray()).all(axis=1)
    assert model.score(X, Y) == is_correct.mean() < 1


ZERO_CALLS = {
    "classifier": lambda X, Y: make_classifier().fit(X, Y),
    "estimate_memory": lambda X, Y: make_classifier().estimate_memory(X, Y),
    "neighbors": lambda X, Y: NearestNeighborsMatcher().fit(X, Y),
    "centroids": lambda X, Y: NearestCentroidMatcher().fit(X, Y),
    "calibration": lambda X, Y: CalibratedMultilabelClassifierCV(make_classifier()).fit(X, Y),
    "thresholds": lambda X, Y: TunedThresholdMultilabelClassifierCV(make_classifier()).fit(X, Y),
}


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, lambda Y: sp.csr_array(Y) * 0])
@pytest.mark.parametrize("name", ZERO_CALLS)
def test_fit_refuses_y_without_labels(name, container, data):
    X, Y = data
    with pytest.raises(ValueError, match=r"y must have .*; got only zeros .* nothing to learn"):
        ZERO_CALLS[name](X, container(Y * 0))


def test_fit_refuses_y_whose_labels_have_sample_weight_0(data):
    X, Y = data
    Y = Y * (np.arange(len(Y)) < 60)[:, None]
    weights = (np.arange(len(Y)) >= 60).astype(float)
    with pytest.raises(ValueError, match="y without the rows whose sample_weight is 0 must have"):
        make_classifier().fit(X, Y, sample_weight=weights)
    assert make_classifier().fit(X, Y, sample_weight=1 - weights).classes_.shape == (20,)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "meta", [CalibratedMultilabelClassifierCV, TunedThresholdMultilabelClassifierCV]
)
def test_folds_without_training_labels_are_skipped(meta, data):
    X, Y = data
    Y = Y * (np.arange(len(Y)) < 60)[:, None]
    # All labels are in the first half, so only the second fold has training labels.
    model = meta(make_classifier(), cv=CV).fit(X, Y)
    only_second = [(np.arange(60), np.arange(60, 120))]
    expected = meta(make_classifier(), cv=only_second).fit(X, Y)
    np.testing.assert_array_equal(rank(model, X), rank(expected, X))
    with pytest.raises(ValueError, match="cv must leave at least one label of y in the training"):
        meta(make_classifier(), cv=[(np.arange(60, 120), np.arange(60))]).fit(X, Y)
    # A frozen estimator needs no training labels.
    frozen = FrozenEstimator(make_classifier().fit(X, Y))
    assert meta(frozen, cv=[(np.arange(60, 120), np.arange(60))]).fit(X, Y).n_features_in_ == 400


def test_grid_search_with_sparse_frame_keeps_it_sparse(data):
    X, Y = data
    search = GridSearchCV(make_classifier(), {"C": [0.2, 1.0]}, scoring=P1, cv=CV)
    expected = search.fit(X, sp.csr_matrix(Y)).cv_results_["mean_test_score"]
    results = search.fit(X, as_sparse_frame(Y)).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(results, expected)
    assert sp.issparse(search.predict(X))
