"""`memory`: fits on what was seen before are loaded, and nothing else is."""

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

LEAVES = np.arange(150) // 20


@pytest.fixture
def fits(monkeypatch):
    """The trees that were trained, and not loaded."""
    trained = []
    train_tree = _training.train_tree

    def counting(*args):
        trained.append(args)
        return train_tree(*args)

    monkeypatch.setattr(_training, "train_tree", counting)
    return trained


def classifier(memory, **params):
    params = {"max_leaf_size": 20, "random_state": 0, **params}
    return XRLinearClassifier(memory=None if memory is None else str(memory), **params)


def assert_same_answers(model, other, X):
    for got, want in zip(model.predict_topk(X), other.predict_topk(X), strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_grid_over_what_acts_at_prediction_fits_once_for_each_fold(xmc_data, tmp_path, fits):
    X, Y = xmc_data
    grid = {
        "beam_width": [1, 5, None],
        "score_transform": ["l3-hinge", "sigmoid", ("l3-hinge", "l4-hinge")],
        "propensity_weight": [0.0, 0.5],
    }
    settings = {"scoring": topk_scorer("precision", k=3), "cv": KFold(3), "refit": False}
    cached = GridSearchCV(classifier(tmp_path), grid, **settings).fit(X, Y)
    assert len(fits) == 3
    plain = GridSearchCV(classifier(None), grid, **settings).fit(X, Y)
    assert len(fits) == 3 + 3 * 18
    scores = cached.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, plain.cv_results_["mean_test_score"])
    assert len(np.unique(scores)) > 3


@pytest.mark.parametrize(
    "params",
    [
        {"beam_width": 3},
        {"score_transform": ["sigmoid", "l3-hinge"]},
        {"propensity_weight": 0.5},
        {"sparse_output": False},
        {"n_jobs": 2},
    ],
    ids=str,
)
def test_loaded_for_parameters_that_training_does_not_see(params, xmc_data, tmp_path, fits):
    X, Y = xmc_data
    classifier(tmp_path).fit(X, Y)
    loaded = classifier(tmp_path, **params).fit(X, Y)
    assert len(fits) == 1
    assert_same_answers(loaded, classifier(None, **params).fit(X, Y), X)


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
def test_trained_anew_for_parameters_that_training_sees(params, xmc_data, tmp_path, fits):
    X, Y = xmc_data
    classifier(tmp_path).fit(X, Y)
    model = classifier(tmp_path, **params).fit(X, Y)
    assert len(fits) == 1 + params.get("n_trees", 1)
    again = classifier(tmp_path, **params).fit(X, Y)
    assert len(fits) == 1 + params.get("n_trees", 1)
    assert_same_answers(again, model, X)
    assert again.hierarchy_ == model.hierarchy_


def test_trained_anew_for_other_data_and_costs(xmc_data, tmp_path, fits):
    X, Y = xmc_data
    weights = np.ones(X.shape[0])
    weights[:100] = 2
    model = classifier(tmp_path)
    model.fit(X, Y)
    model.fit(X.astype(np.float64), Y.tocsc().astype(bool))  # the same in another form
    assert len(fits) == 1
    model.fit(X, Y, sample_weight=weights)
    model.fit(X, Y, relevance=Y * 2.5)
    model.fit(X * 0.5, Y)
    model.fit(X, Y[::-1])
    assert len(fits) == 5


@pytest.mark.parametrize("name", ["beam_width", "score_transform"])
def test_the_beam_counts_where_it_finds_the_negatives(name, xmc_data, tmp_path, fits):
    values = {"beam_width": [1, 4], "score_transform": ["l3-hinge", "sigmoid"]}[name]
    for negatives in ("man", ["tfn", "tfn+man"]):
        for value in values:
            params = {"negatives": negatives, "max_leaf_size": 5, name: value}
            model = classifier(tmp_path, **params).fit(*xmc_data)
            assert_same_answers(model, classifier(None, **params).fit(*xmc_data), xmc_data[0])
    assert len(fits) == 8  # every fit was another, four of them without a memory


def test_seeds(xmc_data, tmp_path, fits):
    X, Y = xmc_data
    for _ in range(2):
        classifier(tmp_path, random_state=np.int64(3)).fit(X, Y)
    assert len(fits) == 1
    for _ in range(2):
        classifier(tmp_path, random_state=None).fit(X, Y)
    assert len(fits) == 2
    # An instance moves on with each fit, which loading would not do.
    instance = np.random.RandomState(0)
    first = classifier(tmp_path, random_state=instance).fit(X, Y)
    second = classifier(tmp_path, random_state=instance).fit(X, Y)
    assert len(fits) == 4
    assert first.hierarchy_ != second.hierarchy_


def test_a_memory_of_joblib_may_map_its_arrays(xmc_data, tmp_path, fits):
    X, Y = xmc_data
    memory = joblib.Memory(tmp_path, mmap_mode="r", verbose=0)
    model = classifier(None).fit(X, Y)
    for _ in range(2):
        mapped = classifier(None).set_params(memory=memory).fit(X, Y)
    assert len(fits) == 2
    assert_same_answers(mapped, model, X)
    # What is changed in one fitted model is not changed in what is kept.
    mapped.prune(max_weights_per_label=20)
    assert_same_answers(mapped, model.prune(max_weights_per_label=20), X)
    again = clone(mapped).fit(X, Y)
    assert_same_answers(again, classifier(None).fit(X, Y), X)
    assert len(fits) == 3


def test_what_cannot_be_part_of_a_key_is_refused(xmc_data, tmp_path, fits):
    model = classifier(tmp_path, label_features=lambda X, Y: Y.T @ X)
    with pytest.raises(ValueError, match="label_features must be picklable"):
        model.fit(*xmc_data)
    assert not fits
    model.set_params(memory=None).fit(*xmc_data)
    with pytest.raises(ValueError, match="'memory' parameter"):
        model.set_params(memory=3).fit(*xmc_data)
