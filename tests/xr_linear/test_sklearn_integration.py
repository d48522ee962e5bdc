"""Use with scikit-learn: pipelines, searches, clones, pickles, feature names."""

import pickle

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer, StandardScaler

from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr.metrics import topk_scorer

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


def test_pipeline_predicts_label_names_from_texts():
    binarizer = MultiLabelBinarizer(sparse_output=True)
    Y = binarizer.fit_transform(TAGS)
    pipeline = make_pipeline(TfidfVectorizer(), XRLinearClassifier(random_state=0)).fit(TEXTS, Y)
    query = pipeline[:-1].transform(["fourier of a signal"])
    labels, _ = pipeline[-1].predict_topk(query, k=2)
    assert set(binarizer.classes_[labels[0]]) == {"fft", "signal"}
    predicted = binarizer.inverse_transform(pipeline.predict(TEXTS))
    assert [set(tags) for tags in predicted] == TAGS


def test_pipeline_transforms_with_a_label_tree():
    Z = np.random.default_rng(0).normal(size=(100, 5))
    pipeline = make_pipeline(StandardScaler(), HierarchicalLabelTree(4, 10, random_state=0))
    out = pipeline.fit_transform(Z)
    assert out.shape == (100, pipeline[-1].n_leaves_)
    assert len(pipeline.get_feature_names_out()) == out.shape[1]


@pytest.mark.parametrize("nested", [False, True])
def test_grid_search_tunes_beam_width_and_branching_factor(nested, xmc_data):
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


def test_randomized_search_tunes_a_pipeline():
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


def test_grid_search_tunes_training_parameters(xmc_data):
    X, Y = xmc_data
    grid = {"relevance_norm": [None, "l1"], "positive_weight": [1.0, 3.0]}
    search = GridSearchCV(
        XRLinearClassifier(4, 10, random_state=0), grid, scoring=topk_scorer("precision", k=3), cv=2
    )
    search.fit(X, Y)
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))


def test_clone_keeps_parameters_and_drops_fitted_attributes(xmc_data):
    tree = LabelHierarchy.from_parents([[0, 0], np.arange(150) % 2])
    model = XRLinearClassifier(label_tree=tree, C=2.0, beam_width=3).fit(*xmc_data)
    other = clone(model)
    assert other.get_params()["C"] == 2.0
    assert other.label_tree == tree
    assert not hasattr(other, "hierarchy_")
    nested = XRLinearClassifier(label_tree=HierarchicalLabelTree(branching_factor=3))
    assert clone(nested).get_params()["label_tree__branching_factor"] == 3


def test_label_tree_is_cloned_and_a_hierarchy_is_used_directly(xmc_data):
    tree = HierarchicalLabelTree(branching_factor=3, max_leaf_size=20, random_state=5)
    model = XRLinearClassifier(label_tree=tree, random_state=0).fit(*xmc_data)
    assert not hasattr(tree, "hierarchy_")
    assert np.diff(model.hierarchy_.child_indptrs[0]).max() <= 3
    flat = XRLinearClassifier(5, label_tree=tree, random_state=0).fit(*xmc_data)
    assert tree.branching_factor == 3
    assert np.diff(flat.hierarchy_.child_indptrs[-1]).max() <= 20
    reused = XRLinearClassifier(label_tree=model.hierarchy_, random_state=0).fit(*xmc_data)
    assert reused.hierarchy_ is model.hierarchy_
    # The random_state of the tree takes precedence over the classifier's.
    other = XRLinearClassifier(label_tree=tree, random_state=1).fit(*xmc_data)
    assert other.hierarchy_ == model.hierarchy_


@pytest.mark.parametrize("how", ["pickle", "joblib", "joblib-mmap"])
def test_pickled_models_predict_the_same_scores(how, xmc_data, tmp_path):
    X = xmc_data[0]
    model = XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)
    if how == "pickle":
        other = pickle.loads(pickle.dumps(model))
    else:
        joblib.dump(model, tmp_path / "model")
        other = joblib.load(tmp_path / "model", mmap_mode="r" if "mmap" in how else None)
    for got, expected in zip(other.predict_topk(X), model.predict_topk(X), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert other.hierarchy_ == model.hierarchy_
    assert (other.predict(X) != model.predict(X)).nnz == 0


def test_predict_does_not_change_the_model(xmc_data):
    X = xmc_data[0]
    model = XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)
    before = pickle.dumps(model)
    model.predict(X), model.predict_proba(X), model.decision_function(X), model.predict_topk(X)
    model.predict_topk(X[[0]])
    assert pickle.dumps(model) == before


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_feature_names_are_stored_and_checked():
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
