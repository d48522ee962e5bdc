"""`model_dir`: a fit writes the model to a folder."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB

import skxmr.xr_linear._classifier as classifier_module
from helpers import quick
from helpers.model_dirs import SIZES, get_checkpoint, make_classifier, read_files
from helpers.models import assert_equal_models
from skxmr import HierarchicalLabelTree, XRLinearClassifier, load_model, save_model
from skxmr._linear import level_model
from skxmr.datasets import make_extreme_multilabel


@pytest.fixture(scope="module")
def data():
    return make_extreme_multilabel(**SIZES, random_state=0)


@pytest.mark.parametrize(
    "params",
    quick.first(
        4,
        [
            {"max_leaf_size": 100},
            {"negatives": "tfn+man", "beam_width": 3},
            {"branching_factor": 30, "max_leaf_size": 20, "n_trees": 2},
            {"weight_dtype": "int8", "max_leaf_size": 100},
            {},  # the helper's defaults
            {"max_leaf_size": 900},  # one leaf cluster
            {"weight_dtype": "float16"},
            {"weight_dtype": "int8"},
            {"relevance_norm": None, "loss": "log_loss"},
        ],
    ),
    ids=str,
)
def test_model_dir_gives_the_model_of_a_fit_in_memory(params, data, tmp_path):
    X, Y = data
    expected = make_classifier(None, **params).fit(X, Y)
    model = make_classifier(tmp_path / "model", n_jobs=2, **params).fit(X, Y)
    assert_equal_models(model, expected)
    loaded = load_model(tmp_path / "model")
    assert_equal_models(loaded, expected)
    assert (loaded.predict_proba(X) != expected.predict_proba(X)).nnz == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
    assert model.n_iter_ == expected.n_iter_
    assert loaded.get_params() == model.get_params()


def test_model_dir_omits_dense_weights_of_large_levels(data, tmp_path, monkeypatch):
    X, Y = data
    monkeypatch.setattr(level_model, "MAX_DENSE_FEATURES", 3000)
    expected = make_classifier(None).fit(X, Y)
    assert {"table" in level.tables for level in expected._model.levels} == {True, False}
    assert_equal_models(make_classifier(tmp_path / "model").fit(X, Y), expected)


@pytest.mark.parametrize("max_computed", [0, 2**21])
def test_model_files_contain_only_large_dense_weights(data, tmp_path, monkeypatch, max_computed):
    X, Y = data
    monkeypatch.setattr(level_model, "MAX_COMPUTED_FEATURES", max_computed)
    model = make_classifier(tmp_path / "fitted").fit(X, Y)
    assert all("table" in level.tables for level in model._model.levels)
    save_model(model, tmp_path / "saved")
    expected = make_classifier(None).fit(X, Y)
    assert_equal_models(model, expected)
    for name in ("fitted", "saved"):
        has_table = any("tables.table" in file for file in read_files(tmp_path / name))
        assert has_table == (max_computed == 0)
        for mmap_mode in (None, "r"):
            assert_equal_models(load_model(tmp_path / name, mmap_mode=mmap_mode), expected)


def test_model_dir_supports_classes_and_sample_weight(data, tmp_path):
    X, Y = data
    y = np.asarray(Y.argmax(axis=1)).ravel().astype(str)
    weights = np.linspace(0, 2, len(y))
    model = make_classifier(tmp_path / "model").fit(X, y, sample_weight=weights)
    expected = make_classifier(None).fit(X, y, sample_weight=weights)
    assert_equal_models(model, expected)
    assert_array_equal(model.predict(X), expected.predict(X))


def test_model_dir_arrays_are_memory_maps(data, tmp_path):
    model = make_classifier(tmp_path / "model").fit(*data)
    large = model._model.levels[-1].arrays["summaries"]
    assert not large.flags.owndata
    assert not large.flags.writeable


def test_model_dir_is_replaced_by_a_second_fit(data, tmp_path):
    X, Y = data
    first = make_classifier(tmp_path / "model").fit(X, Y)
    before = first.predict_proba(X)
    second = make_classifier(tmp_path / "model", random_state=1).fit(X, Y)
    assert (before != second.predict_proba(X)).nnz > 0
    loaded = load_model(tmp_path / "model")
    assert (loaded.predict_proba(X) != second.predict_proba(X)).nnz == 0


def test_model_dir_omits_feature_names_of_an_earlier_fit(data, tmp_path):
    X, Y = data
    model = make_classifier(tmp_path / "model").fit(X, Y)
    model.feature_names_in_ = np.array([f"f{i}" for i in range(X.shape[1])], dtype=object)
    model.fit(X, Y)
    assert not hasattr(model, "feature_names_in_")
    assert not hasattr(load_model(tmp_path / "model"), "feature_names_in_")


def test_model_dir_errors_are_raised_before_any_work(data, tmp_path):
    X, Y = data
    (tmp_path / "file").write_text("mine")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "mine.txt").write_text("mine")
    cases = [
        ({"model_dir": tmp_path / "no" / "model"}, FileNotFoundError, "there is no folder"),
        ({"model_dir": tmp_path / "file"}, FileExistsError, "is a file"),
        ({"model_dir": tmp_path / "foreign"}, FileExistsError, "not a model that can be replaced"),
        ({"model_dir": 3}, ValueError, "'model_dir' parameter"),
        ({"matcher": LogisticRegression()}, ValueError, "matcher must be None if"),
        ({"ranker": BernoulliNB()}, ValueError, "ranker must be None if"),
        (
            {"memory": str(tmp_path / "cache")},
            ValueError,
            "memory must be None if model_dir is set",
        ),
        (
            {"label_tree": HierarchicalLabelTree(clustering=MiniBatchKMeans())},
            TypeError,
            "clustering must be .* got an object of type",
        ),
        ({"label_features": lambda X, Y: X}, TypeError, "label_features must be"),
    ]
    for params, error, match in cases:
        model = clone(make_classifier(tmp_path / "model")).set_params(**params)
        with pytest.raises(error, match=match):
            model.fit(X, Y)
        assert not hasattr(model, "classes_")
    with pytest.raises(TypeError, match="must be None for subclasses .*; got CustomClassifier"):
        CustomClassifier(model_dir=tmp_path / "model").fit(X, Y)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "foreign"]


class CustomClassifier(XRLinearClassifier):
    """Subclass, which cannot be saved."""


def test_model_dir_taken_during_the_fit_keeps_the_checkpoint(data, tmp_path, monkeypatch):
    X, Y = data
    train = classifier_module.train_trees

    def train_and_take(*args, **kwargs):
        (tmp_path / "model").write_text("mine")
        return train(*args, **kwargs)

    monkeypatch.setattr(classifier_module, "train_trees", train_and_take)
    with pytest.raises(FileExistsError, match="is a file.*the finished part of the fit is kept in"):
        make_classifier(tmp_path / "model").fit(X, Y)
    assert (tmp_path / "model").read_text() == "mine"
    assert get_checkpoint(tmp_path / "model").is_dir()
