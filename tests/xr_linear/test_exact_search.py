"""Clusters that cannot change a ranking are not scored: the ranking is the same as without this."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skxmr import LabelHierarchy, XRLinearClassifier
from skxmr._core.node_scores import NodeScores
from skxmr._core.row_search import RowScores, SparseRow
from skxmr._core.rows import Rows, canonical_rows, in_float32
from skxmr._core.topk import best_of_rows
from skxmr._core.transforms import SHAPES, LevelTransform, join_scores
from skxmr._linear import LevelModel, search_row
from skxmr.xr_linear import _exact_search
from skxmr.xr_linear._exact_search import ExactSearch

N_LABELS = 150
# A chain, clusters of one child, and leaf clusters of one to 60 labels at the end of paths of
# different length, which chains of only children make equal.
UNEVEN = LabelHierarchy(
    [[0, 2], [0, 1, 6], [0, 1, 3, 4, 5, 6, 7], [0, 60, 61, 64, 100, 101, 149, 150]],
    np.arange(N_LABELS),
)
TREES = {
    "deep": {"branching_factor": 2, "max_leaf_size": 3},
    "wide": {"branching_factor": 16, "max_leaf_size": 12},
    "one leaf": {"max_leaf_size": 1000},
    "uneven": {"label_tree": UNEVEN},
}
TRANSFORMS = [*SHAPES, "log-l3-hinge", ("identity", "l3-hinge"), ("sigmoid", "identity")]


@pytest.fixture(scope="module")
def data():
    """Data with planted ties: integer values, equal rows, equal labels, and rows without values."""
    rng = np.random.default_rng(0)
    X = (rng.random((500, 40)) < 0.1).astype(np.float32)
    Y = rng.random((500, N_LABELS)) < 0.02
    Y[:, 1:60:3] = Y[:, :60:3]
    X[:20] = 0
    X[20:40] = X[40:60]
    return sp.csr_matrix(X), sp.csr_matrix(Y)


@pytest.fixture(scope="module")
def models(data):
    """Function that fits each model once."""
    fitted = {}

    def get(tree, **params):
        key = (tree, *params.items())
        if key not in fitted:
            model = XRLinearClassifier(random_state=0, **TREES[tree], **params)
            fitted[key] = model.fit(*data)
        return fitted[key]

    return get


def rank_all(model, X, beam_width, k):
    """Rank with a beam, score all children of each cluster of the beam, and sort afterwards."""
    tree, rule = model._model, model._model.score_rule(model._score_params())
    rows = in_float32(canonical_rows(X), model._row_length)
    nodes = NodeScores.root(rows.n_rows)
    for level, transform in zip(tree.matcher.levels, rule.transforms[:-1], strict=True):
        nodes = level.expand(rows, nodes, 0, transform)
        nodes = NodeScores(*best_of_rows(*nodes, beam_width or 0, True))
    ranking = tree.ranker.rank(rows, nodes, rule.transforms[-1])
    ranking = NodeScores(*best_of_rows(*ranking, k, True))
    labels = np.full((rows.n_rows, k), -1)
    for row in range(rows.n_rows):
        found = ranking.ids[ranking.indptr[row] : ranking.indptr[row + 1]]
        labels[row, : len(found)] = found
    return labels, rule.form.shown(ranking.scores)


def make_rows(X):
    """Return rows like those of the fit, rows of other features and lengths, and empty rows."""
    rng = np.random.default_rng(1)
    others = sp.random_array((40, X.shape[1]), density=0.3, format="csr", rng=rng)
    return sp.vstack([X[:80], 5 * X[80:120], others, others * 1e-3], format="csr").astype(
        np.float32
    )


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("tree", TREES)
def test_rankings_equal_those_of_all_scores(tree, transform, models, data):
    X = make_rows(data[0])
    for params in ({}, {"weight_dtype": "int8"}, {"loss": "log_loss", "weight_threshold": 0.0}):
        model = models(tree, **params)
        for propensity_weight, path_weight in ((0.0, 1.0), (0.7, 1.0), (0.0, 0.3)):
            model.set_params(
                score_transform=transform,
                propensity_weight=propensity_weight,
                path_weight=path_weight,
            )
            for beam_width in (1, 4, None):
                model.set_params(beam_width=beam_width)
                for k in (1, 7, N_LABELS):
                    labels, scores = model.predict_topk(X, k=k)
                    expected_labels, expected_scores = rank_all(model, X, beam_width, k)
                    np.testing.assert_array_equal(labels, expected_labels)
                    np.testing.assert_array_equal(scores[labels >= 0], expected_scores)


@pytest.mark.parametrize("beam_width", [2, None])
@pytest.mark.parametrize("tree", TREES)
def test_single_rows_and_threads_give_the_ranking_of_a_batch(tree, beam_width, models, data):
    X = make_rows(data[0])
    model = models(tree).set_params(
        score_transform="l3-hinge",
        propensity_weight=0.3,
        path_weight=0.6,
        beam_width=beam_width,
    )
    labels, scores = model.set_params(n_jobs=1).predict_topk(X, k=5)
    in_threads = model.set_params(n_jobs=3).predict_topk(X, k=5)
    np.testing.assert_array_equal(in_threads[0], labels)
    np.testing.assert_array_equal(in_threads[1], scores)
    for row in range(X.shape[0]):
        one = model.predict_topk(X[[row]], k=5)
        np.testing.assert_array_equal(one[0][0], labels[row])
        np.testing.assert_array_equal(one[1][0], scores[row])


@pytest.mark.parametrize("first_beam_width", [1, 2, 1000])
def test_exact_search_does_not_depend_on_its_first_beam(
    first_beam_width, models, data, monkeypatch
):
    X = make_rows(data[0])
    model = models("deep").set_params(score_transform="sigmoid", beam_width=None)
    expected = model.predict_topk(X, k=7)
    monkeypatch.setattr(ExactSearch, "_beam_width", lambda self: first_beam_width)
    monkeypatch.setattr(_exact_search, "BLOCK_SCORES", 200)
    found = model.predict_topk(X, k=7)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_exact_search_of_several_trees_equals_scoring_all_labels(data, monkeypatch):
    X = make_rows(data[0])
    model = XRLinearClassifier(n_trees=3, max_leaf_size=10, beam_width=None, random_state=0)
    model.fit(*data)
    found = model.predict_topk(X, k=10)
    for tree in model._model.models:
        monkeypatch.setattr(tree, "_exact_search", lambda *args: None)
    expected = model.predict_topk(X, k=10)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


BOUNDED = [name for name in SHAPES if name != "identity"]
PARENT_SCORES = st.floats(-1e9, 1e3, width=32) | st.floats(-1.0, 1.0, width=32)
MARGINS = st.floats(-1e6, 1e6, width=32)
OFFSETS = st.floats(-1e9, 0.0, width=32)


@given(st.sampled_from(BOUNDED), PARENT_SCORES, MARGINS, OFFSETS, st.floats(0, 9))
def test_no_child_has_a_higher_score_than_its_rounded_parent(name, parent, margin, offset, weight):
    parent, margin = np.float32([parent]), np.float32([margin])
    transform = LevelTransform(SHAPES[name], weight)
    child, _ = join_scores(
        parent, np.zeros(1, dtype=np.float32), margin, transform, np.float32([offset])
    )
    rounded = (parent - np.float32(4)) + np.float32(4)
    assert child[0] <= max(parent[0], rounded[0])
    # Rounding does not change a score that is rounded already.
    assert (rounded - np.float32(4)) + np.float32(4) == rounded


def make_level(child_indptr, intercepts):
    """Return a level without weights: the margins are the intercepts."""
    none = np.zeros(0, dtype=np.uint8)
    arrays = {
        "child_indptr": np.array(child_indptr, dtype=np.int64),
        "child_ids": np.arange(len(intercepts), dtype=np.int32),
        "intercepts": np.array(intercepts, dtype=np.float32),
        "summaries": np.zeros((len(child_indptr) - 1, 1), dtype=np.uint64),
        "words": np.zeros(1, dtype=np.uint64),
        "entry_counts": none,
        "entry_children": none,
        "entry_weights": np.zeros(0, dtype=np.float32),
    }
    return LevelModel(arrays, n_features=10, n_iter=1, n_unsolved=0)


@pytest.mark.parametrize("cluster_score", np.arange(0.3, 0.30001, 3e-8, dtype=np.float32)[:50])
def test_search_is_exact_below_clusters_whose_scores_are_margins(cluster_score):
    # The scores of the clusters differ by one float32 step, which rounding can remove: then the
    # label of the second cluster is better, because its margin is larger.
    levels = [
        make_level([0, 2], [np.nextafter(cluster_score, np.float32(1)), cluster_score]),
        make_level([0, 2, 4], [1, 0, 3, 0]),
    ]
    transforms = [LevelTransform(SHAPES[name]) for name in ("identity", "l3-hinge")]
    row = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32)
    rows = Rows(np.zeros(2, dtype=np.int64), *row, 10)
    clusters = levels[0].expand(rows, NodeScores.root(1), 0, transforms[0], best_first=True)
    all_labels = levels[1].expand(rows, clusters, 0, transforms[1])
    expected = NodeScores(*best_of_rows(*all_labels, 1, True))
    found = levels[1].expand(rows, clusters, 1, transforms[1], best_first=True)
    one = search_row(levels, transforms, SparseRow(*row), RowScores.root(), [0, 1], True)
    assert found.ids[0] == one.ids[0] == expected.ids[0]


@pytest.mark.parametrize("beam_width", [2, None])
def test_rows_without_features_are_ranked_once(beam_width, models, data, monkeypatch):
    model = models("wide").set_params(
        score_transform="l3-hinge",
        propensity_weight=0.0,
        path_weight=1.0,
        beam_width=beam_width,
        n_jobs=1,
    )
    X = make_rows(data[0])
    n_empty = np.count_nonzero(np.diff(X.indptr) == 0)
    assert n_empty >= 20
    expected = [model.predict_topk(X[[row]], k=5) for row in range(X.shape[0])]
    ranked = []
    rank = type(model._model).rank

    def count_rows(self, rows, *args):
        ranked.append(rows.n_rows)
        return rank(self, rows, *args)

    monkeypatch.setattr(type(model._model), "rank", count_rows)
    for found, rows in zip(model.predict_topk(X, k=5), zip(*expected, strict=True), strict=True):
        np.testing.assert_array_equal(found, np.concatenate(rows))
    assert sum(ranked) == X.shape[0] - n_empty + 1
    assert model.predict_proba(X).shape == (X.shape[0], N_LABELS)
