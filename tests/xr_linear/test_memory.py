"""`memory`: a fit with equal data and training parameters is loaded from the cache."""

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.svm import LinearSVC

from helpers import quick
from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr.metrics import topk_scorer
from skxmr.xr_linear import _training


@pytest.fixture
def trained_trees(monkeypatch):
    """List with one entry per trained tree; loaded trees are not in it."""
    calls = []
    train_tree = _training.train_tree

    def count_call(*args):
        calls.append(args)
        return train_tree(*args)

    monkeypatch.setattr(_training, "train_tree", count_call)
    return calls


def make_classifier(memory, **params):
    params = {"max_leaf_size": 20, "random_state": 0, **params}
    return XRLinearClassifier(memory=None if memory is None else str(memory), **params)


def assert_same_rankings(model, other, X):
    for got, expected in zip(model.predict_topk(X), other.predict_topk(X), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_memory_fits_once_per_fold_in_a_grid_over_prediction_parameters(
    xmc_data, tmp_path, trained_trees
):
    X, Y = xmc_data
    grid = {
        "beam_width": [1, 5, None],
        "score_transform": ["l3-hinge", "sigmoid", ("l3-hinge", "l4-hinge")],
        "propensity_weight": [0.0, 0.5],
    }
    settings = {"scoring": topk_scorer("precision", k=3), "cv": KFold(3), "refit": False}
    cached = GridSearchCV(make_classifier(tmp_path), grid, **settings).fit(X, Y)
    assert len(trained_trees) == 3
    plain = GridSearchCV(make_classifier(None), grid, **settings).fit(X, Y)
    assert len(trained_trees) == 3 + 3 * 18
    scores = cached.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, plain.cv_results_["mean_test_score"])
    assert len(np.unique(scores)) > 3


@pytest.mark.parametrize(
    "params",
    [
        {"beam_width": 3},
        {"score_transform": ["sigmoid", "l3-hinge"]},
        {"propensity_weight": 0.5},
        {"path_weight": 0.5},
        {"sparse_output": False},
        {"n_jobs": 2},
    ],
    ids=str,
)
def test_memory_loads_if_only_prediction_parameters_differ(
    params, xmc_data, tmp_path, trained_trees
):
    X, Y = xmc_data
    make_classifier(tmp_path).fit(X, Y)
    loaded = make_classifier(tmp_path, **params).fit(X, Y)
    assert len(trained_trees) == 1
    assert_same_rankings(loaded, make_classifier(None, **params).fit(X, Y), X)


@pytest.mark.parametrize(
    "params",
    quick.first(
        9,
        [
            {"random_state": 1},
            {"C": 2.0},
            {"relevance_norm": "l1"},
            {"weight_threshold": 0.2},
            {"negatives": "man"},
            {"branching_factor": 3},
            {"label_features": "pii"},
            {
                "label_tree": LabelHierarchy.from_memberships(np.arange(150) // 20),
                "max_leaf_size": None,
            },
            {"n_trees": 2},
            {"loss": "hinge"},
            {"positive_weight": 1.0},
            {"tol": 0.01},
            {"max_iter": 50},
            {"weight_dtype": "float16"},
            {"max_leaf_size": 30},
            {"label_tree": HierarchicalLabelTree(max_iter=1)},
            {"ranker": LinearSVC(random_state=0)},
        ],
    ),
    ids=str,
)
def test_memory_trains_again_if_training_parameters_differ(
    params, xmc_data, tmp_path, trained_trees
):
    X, Y = xmc_data
    make_classifier(tmp_path).fit(X, Y)
    model = make_classifier(tmp_path, **params).fit(X, Y)
    assert len(trained_trees) == 1 + params.get("n_trees", 1)
    reloaded = make_classifier(tmp_path, **params).fit(X, Y)
    assert len(trained_trees) == 1 + params.get("n_trees", 1)
    assert_same_rankings(reloaded, model, X)
    assert reloaded.hierarchy_ == model.hierarchy_


def test_memory_trains_again_if_data_or_costs_differ(xmc_data, tmp_path, trained_trees):
    X, Y = xmc_data
    weights = np.ones(X.shape[0])
    weights[:100] = 2
    model = make_classifier(tmp_path)
    model.fit(X, Y)
    model.fit(X.astype(np.float64), Y.tocsc().astype(bool))  # equal data in another format
    assert len(trained_trees) == 1
    model.fit(X, Y, sample_weight=weights)
    model.fit(X, Y, relevance=Y * 2.5)
    model.fit(X, Y[::-1])
    assert len(trained_trees) == 4
    model.fit(X * 0.5, Y)  # rows are divided by their mean length, so these are the same
    assert len(trained_trees) == 4


@pytest.mark.parametrize("name", ["beam_width", "score_transform"])
def test_memory_depends_on_beam_parameters_if_the_beam_finds_negatives(
    name, xmc_data, tmp_path, trained_trees
):
    values = {"beam_width": [1, 4], "score_transform": ["l3-hinge", "sigmoid"]}[name]
    for negatives in ("man", ["tfn", "tfn+man"]):
        for value in values:
            params = {"negatives": negatives, "max_leaf_size": 5, name: value}
            model = make_classifier(tmp_path, **params).fit(*xmc_data)
            assert_same_rankings(model, make_classifier(None, **params).fit(*xmc_data), xmc_data[0])
    assert len(trained_trees) == 8  # eight different fits, four of them without memory


def test_memory_loads_only_if_random_state_is_an_integer(xmc_data, tmp_path, trained_trees):
    X, Y = xmc_data
    for _ in range(2):
        make_classifier(tmp_path, random_state=np.int64(3)).fit(X, Y)
    assert len(trained_trees) == 1
    for _ in range(2):
        make_classifier(tmp_path, random_state=None).fit(X, Y)
    assert len(trained_trees) == 2
    # A RandomState instance changes in each fit. Loading would not change it.
    instance = np.random.RandomState(0)
    first = make_classifier(tmp_path, random_state=instance).fit(X, Y)
    second = make_classifier(tmp_path, random_state=instance).fit(X, Y)
    assert len(trained_trees) == 4
    assert first.hierarchy_ != second.hierarchy_


def test_memory_object_with_memory_maps_is_not_changed_by_prune(xmc_data, tmp_path, trained_trees):
    X, Y = xmc_data
    memory = joblib.Memory(tmp_path, mmap_mode="r", verbose=0)
    model = make_classifier(None).fit(X, Y)
    for _ in range(2):
        mapped = make_classifier(None).set_params(memory=memory).fit(X, Y)
    assert len(trained_trees) == 2
    assert_same_rankings(mapped, model, X)
    # Changes of a loaded model do not change the cache.
    mapped.prune(max_weights_per_label=20)
    assert_same_rankings(mapped, model.prune(max_weights_per_label=20), X)
    reloaded = clone(mapped).fit(X, Y)
    assert_same_rankings(reloaded, make_classifier(None).fit(X, Y), X)
    assert len(trained_trees) == 3


def test_memory_rejects_parameters_that_cannot_be_pickled(xmc_data, tmp_path, trained_trees):
    model = make_classifier(tmp_path, label_features=lambda X, Y: Y.T @ X)
    with pytest.raises(ValueError, match="label_features must be picklable"):
        model.fit(*xmc_data)
    assert not trained_trees
    model.set_params(memory=None).fit(*xmc_data)
    with pytest.raises(ValueError, match="'memory' parameter"):
        model.set_params(memory=3).fit(*xmc_data)
