"""Inside scikit-learn: pipelines, searches, clones, pickles."""

import pickle

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_multilabel_classification
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score, label_ranking_average_precision_score, precision_score
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer, StandardScaler
from sklearn.svm import LinearSVC

from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr.metrics import precision_at_k, topk_scorer

TEXTS = [
    "sparse matrix solver",
    "solve a sparse linear system",
    "fast fourier transform",
    "inverse fourier transform of a signal",
    "train a linear classifier",
    "classifier for text",
] * 5
TAGS = [
    {"sparse", "linalg"},
    {"sparse", "solve"},
    {"fft"},
    {"fft", "signal"},
    {"learn"},
    {"learn", "text"},
] * 5


def test_raw_text_to_label_names():
    binarizer = MultiLabelBinarizer(sparse_output=True)
    Y = binarizer.fit_transform(TAGS)
    pipeline = make_pipeline(TfidfVectorizer(), XRLinearClassifier(random_state=0)).fit(TEXTS, Y)
    query = pipeline[:-1].transform(["fourier of a signal"])
    labels, _ = pipeline[-1].predict_topk(query, k=2)
    assert set(binarizer.classes_[labels[0]]) == {"fft", "signal"}
    predicted = binarizer.inverse_transform(pipeline.predict(TEXTS))
    assert [set(tags) for tags in predicted] == TAGS


@pytest.mark.parametrize("nested", [False, True])
def test_grid_search_over_beam_width_and_branching_factor(nested, xmc_data):
    X, Y = xmc_data
    tree = HierarchicalLabelTree(max_leaf_size=10, random_state=0) if nested else None
    model = XRLinearClassifier(max_leaf_size=None if nested else 10, label_tree=tree)
    name = "label_tree__branching_factor" if nested else "branching_factor"
    search = GridSearchCV(
        model.set_params(random_state=0),
        {"beam_width": [1, 20], name: [2, 8]},
        scoring={"P1": topk_scorer("precision", k=1), "N5": topk_scorer("ndcg", k=5)},
        refit="P1",
        cv=3,
        error_score="raise",
    ).fit(X, Y)
    scores = search.cv_results_
    assert np.isfinite(scores["mean_test_P1"]).all()
    wide = scores["mean_test_P1"][scores["param_beam_width"] == 20]
    narrow = scores["mean_test_P1"][scores["param_beam_width"] == 1]
    assert wide.mean() > narrow.mean()
    assert search.predict(X).shape == Y.shape
    assert search.best_estimator_.get_params()[name] in (2, 8)
    tree = search.best_estimator_.hierarchy_
    assert np.diff(tree.child_indptrs[0]).max() <= search.best_params_[name]


def test_grid_search_in_a_pipeline():
    Y = MultiLabelBinarizer(sparse_output=True).fit_transform(TAGS)
    pipeline = make_pipeline(TfidfVectorizer(), XRLinearClassifier(max_leaf_size=2, random_state=0))
    search = RandomizedSearchCV(
        pipeline,
        {"xrlinearclassifier__beam_width": [1, 5], "xrlinearclassifier__branching_factor": [2, 3]},
        n_iter=3,
        scoring=topk_scorer("precision", k=1),
        cv=2,
        random_state=0,
        error_score="raise",
    ).fit(TEXTS, Y)
    assert search.best_score_ > 0.9


def test_clone_keeps_parameters_and_drops_the_fit(xmc_data):
    tree = LabelHierarchy.from_parents([[0, 0], np.arange(150) % 2])
    model = XRLinearClassifier(label_tree=tree, C=2.0, beam_width=3).fit(*xmc_data)
    twin = clone(model)
    assert twin.get_params()["C"] == 2.0
    assert twin.label_tree == tree
    assert not hasattr(twin, "hierarchy_")
    nested = XRLinearClassifier(label_tree=HierarchicalLabelTree(branching_factor=3))
    assert clone(nested).get_params()["label_tree__branching_factor"] == 3


def test_the_given_tree_is_cloned_and_the_hierarchy_used(xmc_data):
    tree = HierarchicalLabelTree(branching_factor=3, max_leaf_size=20, random_state=5)
    model = XRLinearClassifier(label_tree=tree, random_state=0).fit(*xmc_data)
    assert not hasattr(tree, "hierarchy_")
    assert np.diff(model.hierarchy_.child_indptrs[0]).max() <= 3
    flat = XRLinearClassifier(5, label_tree=tree, random_state=0).fit(*xmc_data)
    assert tree.branching_factor == 3
    assert np.diff(flat.hierarchy_.child_indptrs[-1]).max() <= 20
    again = XRLinearClassifier(label_tree=model.hierarchy_, random_state=0).fit(*xmc_data)
    assert again.hierarchy_ is model.hierarchy_
    # The tree's own seed wins over the classifier's.
    other = XRLinearClassifier(label_tree=tree, random_state=1).fit(*xmc_data)
    assert other.hierarchy_ == model.hierarchy_


@pytest.mark.parametrize("how", ["pickle", "joblib", "joblib-mmap"])
def test_saved_models_predict_the_same(how, xmc_data, tmp_path):
    X = xmc_data[0]
    model = XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)
    if how == "pickle":
        twin = pickle.loads(pickle.dumps(model))
    else:
        joblib.dump(model, tmp_path / "model")
        twin = joblib.load(tmp_path / "model", mmap_mode="r" if "mmap" in how else None)
    for got, want in zip(twin.predict_topk(X), model.predict_topk(X), strict=True):
        np.testing.assert_array_equal(got, want)
    assert twin.hierarchy_ == model.hierarchy_
    assert (twin.predict(X) != model.predict(X)).nnz == 0


def test_prediction_writes_nothing(xmc_data):
    X = xmc_data[0]
    model = XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)
    before = pickle.dumps(model)
    model.predict(X), model.predict_proba(X), model.decision_function(X), model.predict_topk(X)
    model.predict_topk(X[[0]])
    assert pickle.dumps(model) == before


def test_beam_width_acts_at_prediction(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(2, 5, beam_width=1, random_state=0).fit(X, Y)
    narrow = model.predict_proba(X).nnz
    wide = model.set_params(beam_width=30).predict_proba(X).nnz
    assert wide > 5 * narrow
    fresh = XRLinearClassifier(2, 5, beam_width=30, random_state=0).fit(X, Y)
    assert (fresh.predict_proba(X) != model.predict_proba(X)).nnz == 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_feature_names():
    pd = pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True)
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    model = XRLinearClassifier(random_state=0).fit(frame, y)
    assert list(model.feature_names_in_) == ["a", "b", "c", "d"]
    assert list(model.predict(frame)) == list(
        XRLinearClassifier(random_state=0).fit(X, y).predict(X)
    )
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a", "c", "d"]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict_topk(sp.csr_matrix(X[:1], dtype=np.float32))


def test_classes_are_a_drop_in_for_one_vs_rest():
    X, y = load_digits(return_X_y=True)
    names = np.array([f"digit {i}" for i in range(10)])
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    model = XRLinearClassifier(random_state=0, weight_threshold=0.0)
    ours = cross_val_score(model, X, names[y], cv=3, scoring="accuracy").mean()
    theirs = cross_val_score(OneVsRestClassifier(LinearSVC()), X, names[y], cv=3).mean()
    assert ours > theirs - 0.02
    model.fit(X, names[y])
    assert list(model.classes_) == sorted(names)
    proba = model.predict_proba(X)
    assert proba.shape == (len(X), 10)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], model.predict(X))
    np.testing.assert_allclose(np.exp(model.decision_function(X)), proba, rtol=1e-3, atol=1e-6)
    labels, _ = model.predict_topk(X, k=1)
    np.testing.assert_array_equal(model.classes_[labels[:, 0]], model.predict(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_classes_agree_however_they_are_asked_even_near_certainty():
    X, y = load_digits(return_X_y=True)
    model = XRLinearClassifier(C=100.0, tol=1.0, random_state=0).fit(X / 16, y)
    rng = np.random.default_rng(0)
    rows = (X[rng.integers(len(X), size=20_000)] + X[rng.integers(len(X), size=20_000)]) / 16
    predicted = model.predict(rows)
    np.testing.assert_array_equal(model.predict_proba(rows).argmax(axis=1), predicted)
    np.testing.assert_array_equal(model.decision_function(rows).argmax(axis=1), predicted)


def test_equal_scores_stand_in_the_order_of_labels(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(max_leaf_size=200, C=1e4, tol=1.0, random_state=0).fit(X, Y)
    labels, scores = model.predict_topk(X, k=20)
    equal = scores[:, 1:] == scores[:, :-1]
    assert equal.any()
    assert np.all(labels[:, 1:][equal] > labels[:, :-1][equal])


def test_multilabel_is_a_drop_in_for_one_vs_rest():
    X, Y = make_multilabel_classification(
        800, 50, n_classes=12, n_labels=3, allow_unlabeled=True, random_state=0
    )
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    ours = XRLinearClassifier(random_state=0).fit(X[:600], Y[:600])
    theirs = OneVsRestClassifier(LinearSVC()).fit(X[:600], Y[:600])
    # A score of one half asks for a margin of 0.115, not of 0: less recall, more precision.
    f1 = [f1_score(Y[600:], m.predict(X[600:]), average="micro") for m in (ours, theirs)]
    precision = [
        precision_score(Y[600:], m.predict(X[600:]), average="micro") for m in (ours, theirs)
    ]
    assert f1[0] > f1[1] - 0.1
    assert precision[0] > precision[1]
    lrap = [
        label_ranking_average_precision_score(Y[600:], m.decision_function(X[600:]))
        for m in (ours, theirs)
    ]
    assert lrap[0] > lrap[1] - 0.01
    assert 0 < ours.score(X[600:], Y[600:]) < 1


def test_sparse_scores_rank_as_the_dense_ones(xmc_data):
    X, Y = xmc_data
    has_label = np.asarray(Y.sum(axis=1)).ravel() > 0
    model = XRLinearClassifier(4, 10, random_state=0).fit(X[:400], Y[:400])
    D = model.decision_function(X[400:])
    lrap = label_ranking_average_precision_score(Y[400:].toarray(), D.toarray())
    model.set_params(sparse_output=False)
    dense = label_ranking_average_precision_score(
        Y[400:].toarray(), model.decision_function(X[400:])
    )
    assert has_label[400:].all()
    assert lrap == pytest.approx(dense, abs=1e-3)


def test_a_label_tree_is_better_than_chance_and_close_to_one_vs_rest(xmc_data):
    X, Y = xmc_data
    tree = XRLinearClassifier(4, 10, random_state=0).fit(X[:450], Y[:450])
    flat = XRLinearClassifier(max_leaf_size=1000, random_state=0).fit(X[:450], Y[:450])
    p = [precision_at_k(Y[450:], m.predict_topk(X[450:], k=1), k=1) for m in (tree, flat)]
    assert p[0] > p[1] - 0.1
    assert p[0] > 5 * Y.nnz / np.prod(Y.shape)


def test_the_tree_in_a_pipeline():
    Z = np.random.default_rng(0).normal(size=(100, 5))
    pipeline = make_pipeline(StandardScaler(), HierarchicalLabelTree(4, 10, random_state=0))
    out = pipeline.fit_transform(Z)
    assert out.shape == (100, pipeline[-1].n_leaves_)
    assert len(pipeline.get_feature_names_out()) == out.shape[1]
