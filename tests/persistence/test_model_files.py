"""Saved models: a loaded model equals the saved one."""

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
    "lifted": {"propensity_weight": 0.5, "path_weight": 0.7, "score_transform": ["log-l3-hinge"]},
}


@pytest.fixture(scope="module")
def plain(xmc_data):
    """A model with several levels, one of them wide."""
    X, Y = xmc_data
    return XRLinearClassifier(4, 30, random_state=0).fit(X, Y)


def assert_same_predictions(model, other, X):
    for method in ("predict_proba", "predict"):
        expected, actual = getattr(model, method)(X), getattr(other, method)(X)
        assert type(expected) is type(actual)
        assert expected.dtype == actual.dtype
        assert (expected != actual).sum() == 0
    for expected, actual in zip(model.predict_topk(X), other.predict_topk(X), strict=True):
        np.testing.assert_array_equal(actual, expected)
    expected, actual = model.predict_topk(X[:1]), other.predict_topk(X[:1])
    np.testing.assert_array_equal(actual, expected)


def assert_equal_values(expected, actual):
    assert type(expected) is type(actual)
    if isinstance(expected, np.ndarray):
        assert expected.dtype == actual.dtype
        np.testing.assert_array_equal(actual, expected)
    elif sp.issparse(expected):
        assert expected.dtype == actual.dtype
        assert (expected != actual).nnz == 0
    elif isinstance(expected, np.random.RandomState):
        assert_equal_values(expected.get_state()[1], actual.get_state()[1])
    elif isinstance(expected, (list, tuple)):
        for a, b in zip(expected, actual, strict=True):
            assert_equal_values(a, b)
    elif hasattr(expected, "get_params"):
        assert_equal_params(expected, actual)
    else:
        assert expected == actual


def assert_equal_params(model, other):
    expected, actual = model.get_params(), other.get_params()
    assert expected.keys() == actual.keys()
    for name in expected:
        assert_equal_values(expected[name], actual[name])


@pytest.mark.parametrize("mmap_mode", [None, "r"])
@pytest.mark.parametrize("options", quick.first(9, list(OPTIONS.values())), ids=OPTIONS)
def test_loaded_model_equals_saved_model(xmc_data, tmp_path, monkeypatch, options, mmap_mode):
    monkeypatch.setattr(array_folder, "MIN_MAPPED_BYTES", 0)
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
def test_loaded_model_keeps_classes_of_any_dtype(xmc_data, tmp_path, classes):
    X = xmc_data[0]
    y = classes[np.arange(X.shape[0]) % len(classes)]
    model = XRLinearClassifier(random_state=0).fit(X, y)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert_equal_values(model.classes_, loaded.classes_)
    assert_equal_values(model.predict(X), loaded.predict(X))


def test_loaded_model_keeps_feature_names_and_metadata_requests(xmc_data, tmp_path):
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
def test_loaded_tree_and_hierarchy_equal_saved_ones(tmp_path, mmap_mode):
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


def test_mapped_model_supports_all_operations(xmc_data, plain, tmp_path, monkeypatch):
    monkeypatch.setattr(array_folder, "MIN_MAPPED_BYTES", 0)
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
    save_model(mapped, tmp_path / "model")  # replaces the files that are mapped
    assert_same_predictions(plain, mapped, X)
    wide = copy.deepcopy(plain).set_params(beam_width=None, n_jobs=2)
    assert_same_predictions(wide, mapped.set_params(beam_width=None, n_jobs=2), X)
    assert_same_predictions(
        wide.prune(weight_threshold=0.2, max_weights_per_label=5),
        mapped.prune(weight_threshold=0.2, max_weights_per_label=5),
        X,
    )


def test_save_model_writes_arrays_without_pickle(plain, tmp_path):
    save_model(plain, tmp_path / "model")
    files = sorted((tmp_path / "model").iterdir())
    arrays = [np.load(file, allow_pickle=False) for file in files if file.suffix == ".npy"]
    assert len(arrays) == len(files) - 1
    stored = sum(array.nbytes for array in arrays)
    assert stored > sum(a.nbytes for level in plain._model.levels for a in level.arrays.values())


def test_load_extras_returns_saved_extras(plain, tmp_path):
    extras = {"names": np.array(["a", "bc"], dtype=object), "mean": np.float64(np.inf), "n": (1,)}
    save_model(plain, tmp_path / "model", extras=extras)
    loaded = load_extras(tmp_path / "model")
    assert loaded.keys() == extras.keys()
    for name in extras:
        assert_equal_values(extras[name], loaded[name])


class Derived(XRLinearClassifier):
    """A subclass; only its base class can be saved."""


NOT_SUPPORTED = {
    "matcher": ({"matcher": MultinomialNB(), "max_leaf_size": 20}, "matcher"),
    "callable": ({"label_features": lambda X, Y: EMBEDDINGS}, "label_features"),
    "frame": ({"label_features": pd.DataFrame(EMBEDDINGS)}, "DataFrame"),
    "clusterer": (
        {"label_tree": HierarchicalLabelTree(clustering=MiniBatchKMeans(n_init=1))},
        r"label_tree\.params\.clustering",
    ),
}


@pytest.mark.parametrize(("options", "key_path"), NOT_SUPPORTED.values(), ids=NOT_SUPPORTED)
def test_save_model_rejects_objects_that_need_pickle(xmc_data, plain, tmp_path, options, key_path):
    model = copy.deepcopy(plain).set_params(**options)
    with pytest.raises(TypeError, match=rf"{key_path}.*joblib"):
        save_model(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_save_model_rejects_extras_without_end_and_long_doubles(plain, tmp_path):
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match="extras contains itself, or is nested too deeply"):
        save_model(plain, tmp_path / "model", extras={"endless": endless})
    with pytest.raises(TypeError, match=r"extras\.number must be .*longdouble"):
        save_model(plain, tmp_path / "model", extras={"number": np.longdouble(1)})
    assert not list(tmp_path.iterdir())


def test_save_model_rejects_other_classes_and_unfitted_models(tmp_path):
    for other in (Derived(), MultinomialNB(), {}):
        with pytest.raises(TypeError, match="joblib"):
            save_model(other, tmp_path / "model")
    with pytest.raises(NotFittedError):
        save_model(XRLinearClassifier(), tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_save_model_works_if_transformers_are_imported_without_torch(plain, tmp_path, monkeypatch):
    # The build of the documentation imports the module without torch, and then saves models.
    monkeypatch.setitem(sys.modules, "skxmr.transformer", ModuleType("skxmr.transformer"))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    save_model(plain, tmp_path / "model")
    assert load_model(tmp_path / "model").get_params() == plain.get_params()


def test_skops_round_trip_keeps_predictions(xmc_data, plain, tmp_path):
    skops = pytest.importorskip("skops.io")
    skops.dump(plain, tmp_path / "model.skops")
    trusted = skops.get_untrusted_types(file=tmp_path / "model.skops")
    assert all(name.startswith("skxmr.") or name == "numpy.dtype" for name in trusted)
    assert_same_predictions(plain, skops.load(tmp_path / "model.skops", trusted), xmc_data[0])
