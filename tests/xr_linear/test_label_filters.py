"""Predictions with `labels` and `exclude` equal the filtered ranking of all labels."""

import functools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from skxmr import LabelHierarchy, XRLinearClassifier, make_text_classifier
from skxmr._core.transforms import SHAPES
from skxmr.calibration import (
    CalibratedMultilabelClassifierCV,
    TunedThresholdMultilabelClassifierCV,
)
from skxmr.pipeline import MixedMatrix
from skxmr.xr_linear import _label_filter

N_LABELS = 150
N_ROWS = 30
# Leaf clusters of one to 60 labels, and clusters with a single child.
UNEVEN = LabelHierarchy(
    [[0, 2], [0, 1, 6], [0, 1, 3, 4, 5, 6, 7], [0, 60, 61, 64, 100, 101, 149, 150]],
    np.arange(N_LABELS)[::-1],
)
TREES = {
    "deep": {"branching_factor": 2, "max_leaf_size": 3},
    "wide": {"branching_factor": 16, "max_leaf_size": 12},
    "one leaf": {"max_leaf_size": 1000},
    "uneven": {"label_tree": UNEVEN},
}


@functools.lru_cache
def make_data():
    """Return data with ties: integer values, equal rows, equal labels, rows without values."""
    rng = np.random.default_rng(0)
    X = (rng.random((400, 40)) < 0.15).astype(np.float32)
    Y = rng.random((400, N_LABELS)) < 0.03
    Y[:, 1:60:3] = Y[:, :60:3]
    X[:3] = 0
    X[3:6] = X[6:9]
    return sp.csr_matrix(X), sp.csr_matrix(Y.astype(np.int8))


@functools.lru_cache
def fit_model(tree, n_trees=1):
    return XRLinearClassifier(random_state=0, n_trees=n_trees, **TREES[tree]).fit(*make_data())


def get_rows():
    return make_data()[0][:N_ROWS]


@st.composite
def selections(draw):
    """Return arguments `labels` and `exclude`, and a mask of the labels that they leave."""
    left = np.ones((N_ROWS, N_LABELS), dtype=bool)
    arguments = {}
    for name in draw(st.sampled_from([("labels",), ("exclude",), ("labels", "exclude")])):
        rng = np.random.default_rng(draw(st.integers(0, 2**31)))
        density = draw(st.sampled_from([0.01, 0.1, 0.5, 0.97]))
        differs = draw(st.booleans())
        mask = rng.random((N_ROWS if differs else 1, N_LABELS)) < density
        if not differs and not (mask & left if name == "labels" else left & ~mask).any():
            continue  # leaves no label, which is an error
        left &= mask if name == "labels" else ~mask
        form = draw(st.sampled_from(["labels", "mask"]))
        if differs and form == "mask":
            arguments[name] = sp.csr_array(mask)
        elif differs:
            arguments[name] = [np.flatnonzero(row) for row in mask]
        else:
            arguments[name] = rng.permutation(np.flatnonzero(mask))
    if not arguments or not left.any():
        left[:] = np.arange(N_LABELS) > 0
        return {"exclude": np.array([0])}, left
    return arguments, left


def filter_ranking(ranking, mask, k):
    """Return the first k allowed labels of each row of a ranking of all labels."""
    labels, scores = ranking
    kept = np.full((len(labels), k), -1)
    kept_scores = np.full((len(labels), k), -np.inf, dtype=np.float32)
    for row in range(len(labels)):
        is_allowed = (labels[row] >= 0) & mask[row, labels[row]]
        n = min(k, np.count_nonzero(is_allowed))
        kept[row, :n] = labels[row][is_allowed][:n]
        kept_scores[row, :n] = scores[row][is_allowed][:n]
    return kept, kept_scores


@pytest.mark.parametrize("tree", TREES)
@given(
    selections(),
    st.sampled_from([1, 5, 40, N_LABELS]),
    st.sampled_from([*SHAPES, "log-l3-hinge", ("identity", "l3-hinge")]),
    st.sampled_from([0.0, 0.7]),
)
def test_exact_search_returns_the_best_allowed_labels(tree, selection, k, transform, weight):
    arguments, mask = selection
    model = fit_model(tree).set_params(
        beam_width=None, score_transform=transform, propensity_weight=weight
    )
    X = get_rows()
    expected = filter_ranking(model.predict_topk(X, N_LABELS), mask, k)
    for found in (
        model.predict_topk(X, k, **arguments),
        model.predict_topk(MixedMatrix(X[:, :7], X[:, 7:].toarray()), k, **arguments),
    ):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("tree", TREES)
@given(selections(), st.sampled_from([1, 2, 10]), st.sampled_from([1, 5, 40, N_LABELS]))
def test_beam_search_returns_k_allowed_labels_with_their_scores(tree, selection, beam_width, k):
    arguments, mask = selection
    model = fit_model(tree).set_params(
        beam_width=beam_width, score_transform="l3-hinge", propensity_weight=0.0
    )
    X = get_rows()
    labels, scores = model.predict_topk(X, k, **arguments)
    all_scores = model.score_candidates(X, np.ones(mask.shape)).toarray()
    for row in range(N_ROWS):
        n = min(k, np.count_nonzero(mask[row]))
        found = labels[row, :n]
        assert len(set(found)) == n
        assert mask[row, found].all()
        assert (labels[row, n:] == -1).all()
        np.testing.assert_array_equal(scores[row, :n], all_scores[row, found])
        assert (np.diff(scores[row, :n]) <= 0).all()


@pytest.mark.parametrize("n_trees", [1, 3])
@given(selections(), st.sampled_from([1, 3, None]), st.sampled_from([1, 5, N_LABELS]))
def test_single_rows_and_threads_equal_the_batch(n_trees, selection, beam_width, k):
    arguments, mask = selection
    model = fit_model("wide", n_trees).set_params(beam_width=beam_width)
    X = get_rows()
    labels, scores = model.set_params(n_jobs=1).predict_topk(X, k, **arguments)
    assert mask[np.nonzero(labels >= 0)[0], labels[labels >= 0]].all()
    if n_trees == 1 or k < N_LABELS:  # each tree of several returns 100 labels
        assert (np.count_nonzero(labels >= 0, axis=1) == np.minimum(k, mask.sum(1))).all()
    in_threads = model.set_params(n_jobs=2).predict_topk(X, k, **arguments)
    np.testing.assert_array_equal(in_threads[0], labels)
    np.testing.assert_array_equal(in_threads[1], scores)
    for row in (0, 7):
        of_row = {
            name: value[row : row + 1] if sp.issparse(value) or isinstance(value, list) else value
            for name, value in arguments.items()
        }
        single = model.predict_topk(X[row], k, **of_row)
        np.testing.assert_array_equal(single[0][0], labels[row])
        np.testing.assert_array_equal(single[1][0], scores[row])


@given(selections(), st.sampled_from([2, None]))
def test_probabilities_and_predictions_are_those_of_allowed_labels(selection, beam_width):
    arguments, mask = selection
    model = fit_model("deep").set_params(beam_width=beam_width, score_transform="l3-hinge")
    X = get_rows()
    P = model.predict_proba(X, **arguments)
    all_scores = model.score_candidates(X, np.ones(mask.shape)).toarray()
    rows, labels = P.nonzero()
    assert mask[rows, labels].all()
    np.testing.assert_array_equal(P.data, all_scores[rows, labels])
    if beam_width is None:
        assert P.nnz == mask.sum()
    np.testing.assert_array_equal(
        model.predict(X, **arguments).toarray(), (P.toarray() >= 0.5).astype(int)
    )
    ranked = model.predict_topk(X, N_LABELS, format="csr", **arguments)
    assert mask[ranked.nonzero()].all()


def test_prepared_filter_gives_the_same_result_and_can_be_pickled():
    model, X = fit_model("wide").set_params(beam_width=2), get_rows()
    labels = [140, 3, 77, 20]
    expected = model.predict_topk(X, 3, labels=labels)
    prepared = model.label_filter(labels)
    assert len(prepared) == 4
    assert repr(prepared) == "<LabelFilter of 4 labels>"
    model, prepared = pickle.loads(pickle.dumps((model, prepared)))
    for found in (
        model.predict_topk(X, 3, labels=prepared),
        model.predict_topk(X, 3, exclude=np.setdiff1d(np.arange(N_LABELS), labels)),
    ):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
    others = model.predict_topk(X, 3, exclude=prepared)[0]
    assert not np.isin(others, labels).any()
    X, Y = make_data()
    other = XRLinearClassifier(max_leaf_size=9, random_state=1).fit(X, Y)
    for name in ("labels", "exclude"):
        with pytest.raises(ValueError, match=f"{name} must be a filter of this classifier; got a"):
            other.predict(X, **{name: prepared})


@pytest.mark.parametrize("labels", [None, [3, 50, 77, 20, 90], "prepared"])
def test_few_and_many_excluded_labels_give_the_same_result(labels, monkeypatch):
    model, X = fit_model("deep").set_params(beam_width=None), get_rows()
    for excluded in ([], [20, 21, 22]):
        if labels == "prepared":
            labels = model.label_filter([3, 50, 77, 20, 90])
        found = []
        for n_labels_per_excluded in (0, 10**9):
            monkeypatch.setattr(_label_filter, "MIN_LABELS_PER_EXCLUDED", n_labels_per_excluded)
            found.append(model.predict_topk(X, 4, labels=labels, exclude=excluded))
            if not excluded:
                found.append(model.predict_topk(X, 4, labels=labels))
        for other in found[1:]:
            np.testing.assert_array_equal(other[0], found[0][0])
            np.testing.assert_array_equal(other[1], found[0][1])
        assert not np.isin(found[0][0], excluded).any()


@pytest.mark.parametrize("n_trees", [1, 3])
@pytest.mark.parametrize("n_rows", [1, 2])
def test_rows_without_any_allowed_label_get_none(n_trees, n_rows):
    model, X = fit_model("wide", n_trees), get_rows()[:n_rows]
    for arguments in (
        {"labels": [11], "exclude": [[11]] * n_rows},
        {"labels": sp.csr_array((n_rows, N_LABELS))},
        {"labels": [[]] * n_rows, "exclude": [3]},
    ):
        labels, scores = model.predict_topk(X, 3, **arguments)
        assert (labels == -1).all()
        assert (scores == -np.inf).all()
        assert labels.shape == scores.shape == (n_rows, 3)
        assert model.suggest(X, **arguments) == [[]] * n_rows
        assert model.predict_proba(X, **arguments).nnz == 0
        assert model.predict(X, **arguments).shape == (n_rows, N_LABELS)


def test_named_labels_are_filtered_in_text_pipelines():
    texts = ["red apple", "green apple", "red car", "blue car", "green tree", "red tree"] * 3
    tags = [text.split() for text in texts]
    model = make_text_classifier(random_state=0).fit(texts, tags)
    best = model.suggest(["red apple", "blue car"], k=1, labels=["car", "apple"])
    assert [[name for name, _ in pairs] for pairs in best] == [["apple"], ["car"]]
    assigned = [["red"], ["blue", "car"]]
    others = model.suggest(["red apple", "blue car"], k=2, exclude=assigned)
    assert len(others[0]) == len(others[1]) == 2
    assert others[0][0][0] == "apple"
    assert not {"blue", "car"} & {name for name, _ in others[1]}
    prepared = model["classifier"].label_filter(["apple", "tree"])
    assert model.suggest(["red car"], k=5, labels=prepared, exclude=["tree"])[0][0][0] == "apple"
    assert model.predict(["red apple"], labels=["apple"])[0] in [("apple",), ()]


def test_calibrated_and_tuned_classifiers_pass_selections_on():
    X, Y = make_data()
    calibrated = CalibratedMultilabelClassifierCV(fit_model("wide"), cv=2).fit(X, Y)
    tuned = TunedThresholdMultilabelClassifierCV(fit_model("wide"), cv=2).fit(X, Y)
    for model in (calibrated, tuned):
        labels = model.predict_topk(X[:5], 3, labels=[1, 2, 30], exclude=[2])[0]
        assert (np.sort(labels, axis=1) == [-1, 1, 30]).all()
        assert {name for pairs in model.suggest(X[:5], labels=[7]) for name, _ in pairs} == {7}


def test_classes_are_predicted_among_allowed_ones():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5))
    y = np.array(["a", "b", "c", "d"])[np.argmax(X[:, :4], axis=1)]
    model = XRLinearClassifier(random_state=0).fit(X, y)
    P = model.predict_proba(X)
    P[:, [1, 2]] = 0
    assert (model.predict(X, labels=["a", "d"]) == np.array(list("abcd"))[P.argmax(1)]).all()
    np.testing.assert_allclose(model.predict_proba(X, exclude=["b", "c"]).sum(1), 1, rtol=1e-5)
    mask = np.ones((200, 4))
    mask[7] = 0
    with pytest.raises(ValueError, match="must leave a class for each row; row 7 has none"):
        model.predict(X, labels=mask)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": []}, "labels must contain at least one label; got none"),
        ({"labels": "3"}, "labels must be a list of labels; got '3'. Put it in a list"),
        ({"labels": 3}, "labels must be a list of labels; got 3"),
        ({"labels": [3, 3]}, "labels must contain each label once; got 3 several times"),
        ({"exclude": [[5, 5]] * 2}, "exclude must contain each label once; got 5 several times"),
        (
            {"labels": np.arange(150) < 3},
            r"labels must contain labels; got booleans. Pass classes_",
        ),
        ({"labels": [1, 500, -1]}, "only labels of classes_; got 2 unknown: 500, -1"),
        (
            {"exclude": [500, "x", 501, 1.5, 502, 503]},
            "exclude must contain only labels of classes_; got 6 unknown: 500, 'x', 501, 1.5, 502,",
        ),
        ({"labels": [[1]] * 3}, "labels must have a list per row of X, 2; got 3"),
        ({"labels": sp.csr_array((2, 7))}, r"labels must have the shape \(2, 150\)"),
        ({"exclude": np.ones((3, 150))}, r"exclude must have the shape \(2, 150\)"),
        ({"labels": [1], "exclude": [1]}, "labels without those of exclude must contain at least"),
        ({"exclude": range(150)}, "labels without those of exclude must contain at least one"),
    ],
)
def test_wrong_selections_are_refused(arguments, message):
    model, X = fit_model("wide"), get_rows()[:2]
    for method in (model.predict_topk, model.predict_proba, model.predict, model.suggest):
        with pytest.raises(ValueError, match=message):
            method(X, **arguments)


def test_filters_need_one_list_of_labels_and_linear_models():
    model = fit_model("wide")
    for wrong in ([[1], [2]], sp.csr_array((2, 150)), np.ones((2, 150))):
        with pytest.raises(ValueError, match="classes must be a list of labels, without a list"):
            model.label_filter(wrong)
    with pytest.raises(ValueError, match="classes must contain at least one label"):
        model.label_filter([])
    X, Y = make_data()
    custom = XRLinearClassifier(max_leaf_size=20, random_state=0, ranker=LogisticRegression())
    with pytest.raises(ValueError, match="A filter of labels needs linear models on all levels"):
        custom.fit(X, Y).predict_topk(X, labels=[3])
