"""Models as folders: what comes back is what was saved."""

import copy
import pickle
import sys
from types import ModuleType

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import MultinomialNB

from helpers import quick
from skxmr import (
    HierarchicalLabelTree,
    LabelFeatureUnion,
    LabelHierarchy,
    XRLinearClassifier,
    load_model,
    preset,
    save_model,
)
from skxmr._core import array_folder
from skxmr.persistence import load_extras

EMBEDDINGS = np.random.default_rng(0).normal(size=(150, 5))
OPTIONS = {
    "default": {},
    "dense": {"sparse_output": False, "max_leaf_size": 20},
    "one leaf": {"max_leaf_size": 200},
    "narrow": {"branching_factor": 3, "max_leaf_size": 8},
    "best": preset("best"),
    "trees": {"n_trees": 2, "max_leaf_size": 20},
    "hierarchy": {"label_tree": LabelHierarchy.from_memberships(np.arange(150) % 7)},
    "tree": {"label_tree": HierarchicalLabelTree(4, 10, random_state=np.random.RandomState(3))},
    "features": {"label_features": EMBEDDINGS},
    "fortran features": {"label_features": np.asfortranarray(EMBEDDINGS)},
    "list features": {"label_features": EMBEDDINGS.tolist()},
    "sparse features": {"label_features": sp.coo_array(EMBEDDINGS)},
    "union": {"label_features": LabelFeatureUnion(["pifa", EMBEDDINGS], weights=[1, 0.5])},
    "scores": {
        "score_transform": ("l2-hinge", "sigmoid"),
        "C": np.float32(0.5),
        "beam_width": None,
    },
    "lifted": {"propensity_weight": 0.5, "score_transform": ["log-l3-hinge"]},
}


@pytest.fixture(scope="module")
def plain(xmc_data):
    """A model of some levels, one of them wide."""
    X, Y = xmc_data
    return XRLinearClassifier(4, 30, random_state=0).fit(X, Y)


def assert_same_predictions(model, other, X):
    for method in ("predict_proba", "predict"):
        here, there = getattr(model, method)(X), getattr(other, method)(X)
        assert type(here) is type(there)
        assert here.dtype == there.dtype
        assert (here != there).sum() == 0
    for here, there in zip(model.predict_topk(X), other.predict_topk(X), strict=True):
        np.testing.assert_array_equal(here, there)
    here, there = model.predict_topk(X[:1]), other.predict_topk(X[:1])
    np.testing.assert_array_equal(here, there)


def assert_equal_values(here, there):
    assert type(here) is type(there)
    if isinstance(here, np.ndarray):
        assert here.dtype == there.dtype
        np.testing.assert_array_equal(here, there)
    elif sp.issparse(here):
        assert here.dtype == there.dtype
        assert (here != there).nnz == 0
    elif isinstance(here, np.random.RandomState):
        assert_equal_values(here.get_state()[1], there.get_state()[1])
    elif isinstance(here, (list, tuple)):
        for a, b in zip(here, there, strict=True):
            assert_equal_values(a, b)
    elif hasattr(here, "get_params"):
        assert_equal_params(here, there)
    else:
        assert here == there


def assert_equal_params(model, other):
    here, there = model.get_params(), other.get_params()
    assert here.keys() == there.keys()
    for name in here:
        assert_equal_values(here[name], there[name])


@pytest.mark.parametrize("mmap_mode", [None, "r"])
@pytest.mark.parametrize("options", quick.first(9, list(OPTIONS.values())), ids=OPTIONS)
def test_round_trip(xmc_data, tmp_path, monkeypatch, options, mmap_mode):
    monkeypatch.setattr(array_folder, "MAPPED_BYTES", 0)
    X, Y = xmc_data
    options = copy.deepcopy(options)
    model = XRLinearClassifier(**{"random_state": 5, **options}).fit(X, Y)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model", mmap_mode=mmap_mode)
    assert type(loaded) is XRLinearClassifier
    assert_equal_params(model, loaded)
    assert loaded.hierarchy_ == model.hierarchy_
    assert hash(loaded.hierarchy_) == hash(model.hierarchy_)
    assert vars(loaded).keys() == vars(model).keys()
    assert_same_predictions(model, loaded, X)
    assert (model.score_candidates(X, Y) != loaded.score_candidates(X, Y)).nnz == 0


@pytest.mark.parametrize(
    "classes",
    [
        np.arange(7),
        np.array(["b", "a", "ä\U0001f600", "", "long " * 20, "x y", "z"]),
        np.array(["b", "a", "ends in nul\0", "", "lone \ud800", "x\ny", "z"], dtype=object),
        np.array([True, False]),
        np.linspace(0, 1, 7).astype("i4"),
    ],
    ids=["int", "str", "object", "bool", "int32"],
)
def test_classes_of_any_plain_kind(xmc_data, tmp_path, classes):
    X = xmc_data[0]
    y = classes[np.arange(X.shape[0]) % len(classes)]
    model = XRLinearClassifier(random_state=0).fit(X, y)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert_equal_values(model.classes_, loaded.classes_)
    assert_equal_values(model.predict(X), loaded.predict(X))


def test_feature_names_and_metadata_requests(xmc_data, tmp_path):
    X = pd.DataFrame(xmc_data[0][:, :30].toarray()).rename(columns="f{}".format)
    with config_context(enable_metadata_routing=True):
        model = XRLinearClassifier(random_state=0).set_fit_request(sample_weight="w")
    model.fit(X, xmc_data[1])
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert_equal_values(model.feature_names_in_, loaded.feature_names_in_)
    assert str(loaded.get_metadata_routing()) == str(model.get_metadata_routing())
    assert (model.predict_proba(X) != loaded.predict_proba(X)).nnz == 0


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_tree_and_hierarchy(tmp_path, mmap_mode):
    tree = HierarchicalLabelTree(3, 5, sparse_output=False, random_state=0)
    tree.set_output(transform="pandas").fit(EMBEDDINGS)
    save_model(tree, tmp_path / "tree")
    save_model(tree.hierarchy_, tmp_path / "hierarchy")
    loaded = load_model(tmp_path / "tree", mmap_mode=mmap_mode)
    assert_equal_params(tree, loaded)
    pd.testing.assert_frame_equal(tree.transform(EMBEDDINGS), loaded.transform(EMBEDDINGS))
    hierarchy = load_model(tmp_path / "hierarchy", mmap_mode=mmap_mode)
    assert hierarchy == tree.hierarchy_
    assert_equal_values(tree.hierarchy_.leaf_of_label, hierarchy.leaf_of_label)
    with pytest.raises(ValueError, match="read-only"):
        hierarchy.label_order[0] = 1


def test_a_mapped_model_does_all_that_a_model_does(xmc_data, plain, tmp_path, monkeypatch):
    monkeypatch.setattr(array_folder, "MAPPED_BYTES", 0)
    X, _ = xmc_data
    save_model(plain, tmp_path / "model")
    mapped = load_model(tmp_path / "model", mmap_mode="r")
    assert_same_predictions(plain, pickle.loads(pickle.dumps(mapped)), X)
    assert_same_predictions(plain, copy.deepcopy(mapped), X)
    assert len(pickle.dumps(mapped)) < 1.01 * len(pickle.dumps(plain))
    joblib.dump(mapped, tmp_path / "file.joblib")
    assert_same_predictions(plain, joblib.load(tmp_path / "file.joblib"), X)
    save_model(mapped, tmp_path / "copy")
    assert_same_predictions(plain, load_model(tmp_path / "copy"), X)
    save_model(mapped, tmp_path / "model")  # over the files that it is mapped from
    assert_same_predictions(plain, mapped, X)
    wide = copy.deepcopy(plain).set_params(beam_width=None, n_jobs=2)
    assert_same_predictions(wide, mapped.set_params(beam_width=None, n_jobs=2), X)
    assert_same_predictions(
        wide.prune(weight_threshold=0.2, max_weights_per_label=5),
        mapped.prune(weight_threshold=0.2, max_weights_per_label=5),
        X,
    )


def test_no_array_needs_pickle(plain, tmp_path):
    save_model(plain, tmp_path / "model")
    files = sorted((tmp_path / "model").iterdir())
    arrays = [np.load(file, allow_pickle=False) for file in files if file.suffix == ".npy"]
    assert len(arrays) == len(files) - 1
    stored = sum(array.nbytes for array in arrays)
    assert stored > sum(a.nbytes for level in plain._model.levels for a in level.arrays.values())


def test_extras_come_back(plain, tmp_path):
    extras = {"names": np.array(["a", "bc"], dtype=object), "mean": np.float64(np.inf), "n": (1,)}
    save_model(plain, tmp_path / "model", extras=extras)
    loaded = load_extras(tmp_path / "model")
    assert loaded.keys() == extras.keys()
    for name in extras:
        assert_equal_values(extras[name], loaded[name])


class Derived(XRLinearClassifier):
    """Of a class that a file cannot name."""


UNSAVED = {
    "matcher": ({"matcher": MultinomialNB(), "max_leaf_size": 20}, "matcher"),
    "callable": ({"label_features": lambda X, Y: EMBEDDINGS}, "label_features"),
    "frame": ({"label_features": pd.DataFrame(EMBEDDINGS)}, "DataFrame"),
    "clusterer": (
        {"label_tree": HierarchicalLabelTree(clustering=MiniBatchKMeans(n_init=1))},
        r"label_tree\.params\.clustering",
    ),
}


@pytest.mark.parametrize(("options", "named"), UNSAVED.values(), ids=UNSAVED)
def test_what_would_need_pickle_is_refused(xmc_data, plain, tmp_path, options, named):
    model = copy.deepcopy(plain).set_params(**options)
    with pytest.raises(TypeError, match=rf"{named}.*joblib"):
        save_model(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_only_fitted_models_of_these_classes(tmp_path):
    for other in (Derived(), MultinomialNB(), {}):
        with pytest.raises(TypeError, match="joblib"):
            save_model(other, tmp_path / "model")
    with pytest.raises(NotFittedError):
        save_model(XRLinearClassifier(), tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_transformers_imported_without_torch_are_no_hindrance(plain, tmp_path, monkeypatch):
    # As a build of the documentation does, which then runs examples that save models.
    monkeypatch.setitem(sys.modules, "skxmr.transformer", ModuleType("skxmr.transformer"))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    save_model(plain, tmp_path / "model")
    assert load_model(tmp_path / "model").get_params() == plain.get_params()


def test_skops_keeps_a_model(xmc_data, plain, tmp_path):
    skops = pytest.importorskip("skops.io")
    skops.dump(plain, tmp_path / "model.skops")
    trusted = skops.get_untrusted_types(file=tmp_path / "model.skops")
    assert all(name.startswith("skxmr.") or name == "numpy.dtype" for name in trusted)
    assert_same_predictions(plain, skops.load(tmp_path / "model.skops", trusted), xmc_data[0])
