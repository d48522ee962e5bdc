"""Classifiers made from weights predict like the models that the weights come from."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skxmr import LabelHierarchy, XRLinearClassifier, load_model, save_model

# Clusters with several children, and with one.
TREE = LabelHierarchy([[0, 2], [0, 1, 3], [0, 2, 3, 7]], [6, 3, 0, 2, 5, 1, 4])
PARAMS = ("score_transform", "beam_width", "path_weight", "weight_dtype")


def read(model):
    """Return the arguments of `from_weights` for an equal model."""
    trees = range(len(model._model.models))
    levels = [range(tree.hierarchy.n_levels) for tree in model._model.models]
    return {
        "hierarchy": [tree.hierarchy for tree in model._model.models],
        "weights": [[model.level_weights(i, tree) for i in levels[tree]] for tree in trees],
        "intercepts": [[model.level_intercepts(i, tree) for i in levels[tree]] for tree in trees],
    }


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_trees": 2},
        {"weight_dtype": "float16"},
        {"weight_dtype": "int8"},
        {"loss": "log_loss", "score_transform": "sigmoid"},
        {"label_tree": "only children"},
    ],
    ids=str,
)
def test_weights_round_trip(xmc_data, params):
    X, Y = xmc_data
    if "label_tree" in params:
        leaves = np.minimum(np.arange(150), 100)  # leaves with a single label
        params = {"label_tree": LabelHierarchy.from_memberships(leaves)}
    sizes = {} if "label_tree" in params else {"max_leaf_size": 10, "branching_factor": 4}
    model = XRLinearClassifier(random_state=0, path_weight=1.0, **sizes, **params).fit(X, Y)
    shown = {name: getattr(model, name) for name in PARAMS}
    copy = XRLinearClassifier.from_weights(**read(model), **shown)
    for level, expected in zip(copy._model.levels, model._model.levels, strict=True):
        # The order of the children of a feature has no meaning.
        for name in expected.arrays.keys() - {"fingerprints", "entry_children", "entry_weights"}:
            assert level.arrays[name].dtype == expected.arrays[name].dtype
            np.testing.assert_array_equal(level.arrays[name], expected.arrays[name], err_msg=name)
        assert level.only_children_inherit == expected.only_children_inherit or not np.any(
            np.diff(expected.arrays["child_indptr"]) == 1
        )
    for tree in range(len(model._model.models)):
        for level in range(model._model.models[tree].hierarchy.n_levels):
            difference = copy.level_weights(level, tree) != model.level_weights(level, tree)
            assert difference.nnz == 0
    for got, expected in zip(copy.predict_topk(X), model.predict_topk(X), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_the_scale_of_the_rows_is_in_the_weights(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(random_state=0, path_weight=1.0).fit(3 * X, Y)
    copy = XRLinearClassifier.from_weights(**read(model), path_weight=1.0)
    np.testing.assert_allclose(copy.predict_topk(3 * X)[1], model.predict_topk(3 * X)[1], rtol=1e-4)


def random_weights(rng, hierarchy, n_features=6):
    weights = [
        sp.csr_array(sp.random_array((n_features, size), density=0.5, random_state=rng)) * 2
        for size in hierarchy.level_sizes
    ]
    intercepts = [rng.standard_normal(size) for size in hierarchy.level_sizes]
    return weights, intercepts


@given(st.integers(0, 1000), st.sampled_from(["l1-hinge", "l3-hinge", "sigmoid"]))
def test_scores_are_products_over_the_path(seed, transform):
    rng = np.random.default_rng(seed)
    weights, intercepts = random_weights(rng, TREE)
    model = XRLinearClassifier.from_weights(
        TREE, weights, intercepts=intercepts, score_transform=transform, beam_width=None
    )
    X = rng.standard_normal((5, 6))
    node, scores = np.arange(7), np.ones((5, 7))
    parents = TREE.to_parents()
    for level in (2, 1, 0):
        margins = (X @ weights[level].toarray() + intercepts[level])[:, node]
        if transform == "sigmoid":
            scores *= 1 / (1 + np.exp(-margins))
        else:
            scores *= np.exp(-(np.maximum(0, 1 - margins) ** int(transform[1])))
        node = parents[level][node]
    np.testing.assert_allclose(model.predict_proba(X).toarray(), scores, rtol=1e-4, atol=1e-30)
    # The label order of the tree is not that of the columns.
    np.testing.assert_allclose(model.level_weights(-1).toarray(), weights[2].toarray(), rtol=1e-6)
    np.testing.assert_allclose(model.level_intercepts(-1), intercepts[2], rtol=1e-6)


@pytest.mark.parametrize("names", [list("gfedcba"), [7, 1, 5, 3, 2, 9, 8]], ids=["str", "int"])
def test_classes_are_names(names, tmp_path):
    weights, _ = random_weights(np.random.default_rng(0), TREE)
    model = XRLinearClassifier.from_weights(TREE, weights, classes=names)
    X = np.random.default_rng(1).random((4, 6))
    best = model.predict_topk(X, k=1)[0].ravel()
    assert [row[0][0] for row in model.suggest(X, k=1)] == [names[i] for i in best]
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.suggest(X) == model.suggest(X)
    assert loaded.classes_.tolist() == names
    with pytest.raises(ValueError, match="made by from_weights"):
        loaded.update(X, [[names[0]]] * 4)


GOOD, _ = random_weights(np.random.default_rng(0), TREE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hierarchy": "tree"}, "hierarchy must be a LabelHierarchy"),
        ({"weights": GOOD[:2]}, "weights must have 3 entries"),
        ({"weights": [GOOD[0], GOOD[1].toarray(), GOOD[2]]}, r"weights\[1\] must be a sparse"),
        ({"weights": [GOOD[0], GOOD[0], GOOD[2]]}, r"weights\[1\] must have 3 columns"),
        ({"weights": [GOOD[0] * np.nan, *GOOD[1:]]}, r"weights\[0\] must contain only finite"),
        ({"weights": [GOOD[0][:5], *GOOD[1:]]}, "equal numbers of features"),
        ({"intercepts": [np.zeros(2)] * 2}, "intercepts must have 3 entries"),
        ({"intercepts": [None, np.zeros(2), None]}, r"intercepts\[1\] must have 3 numbers"),
        ({"intercepts": [[0, np.nan], None, None]}, r"intercepts\[0\] must contain numbers"),
        ({"intercepts": [[0, np.inf], None, None]}, r"intercepts\[0\] may be inf for nodes with"),
        ({"classes": list("abcdefa")}, "7 names, 6 of them different"),
        ({"classes": list("abc")}, "classes must be 7 different names"),
        ({"classes": [1, "b", *"cdefg"]}, "classes must have labels that are all str or all int"),
        ({"beam_width": 0}, "beam_width"),
        ({"propensity_weight": 0.5}, "propensity_weight must be 0"),
        ({"hierarchy": [TREE, TREE], "weights": [GOOD]}, "one entry per tree"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    arguments = {"hierarchy": TREE, "weights": GOOD, **arguments}
    with pytest.raises(ValueError, match=message):
        XRLinearClassifier.from_weights(**arguments)


def test_invalid_levels_are_refused():
    model = XRLinearClassifier.from_weights(TREE, GOOD)
    for level in (3, -4):
        with pytest.raises(ValueError, match="level must be from 0 to 2"):
            model.level_weights(level)
    with pytest.raises(ValueError, match="tree must be from 0 to 0; got 1"):
        model.level_intercepts(0, tree=1)
