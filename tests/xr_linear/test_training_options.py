"""Costs, negatives and ensembles, as parameters of the classifier."""

import copy
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from helpers import quick
from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier, preset
from skxmr._core.levels import expand_to_levels
from skxmr._core.rows import as_rows
from skxmr._core.score_rule import Scoring
from skxmr._linear.relevance import target_costs
from skxmr.datasets import make_extreme_multilabel
from skxmr.matching._negative_sampling import beam_rows, training_rows
from skxmr.metrics import precision_at_k, topk_scorer


@pytest.fixture(scope="module")
def data():
    return make_extreme_multilabel(
        n_samples=1500, n_features=800, n_labels=300, n_labels_per_sample=4, random_state=0
    )


def small(**parameters):
    return XRLinearClassifier(4, 10, random_state=0, **parameters)


def same_model(one, two):
    for a, b in zip(one._model.levels, two._model.levels, strict=True):
        for name in a.arrays:
            np.testing.assert_array_equal(a.arrays[name], b.arrays[name])


# Costs


@pytest.mark.parametrize("norm", ["l1", "l2", "max", None])
def test_relevance_is_summed_over_labels_and_normalised_by_row(data, norm):
    _, Y = data
    R = sp.csr_array(Y, dtype=np.float64)
    R.data[:] = np.random.default_rng(0).uniform(0.5, 3.0, R.nnz)
    hierarchy = small().fit(*data).hierarchy_
    indicator = sp.csr_array(Y)
    levels = hierarchy.node_targets(indicator, R.data.astype(np.float32))
    dense = R.toarray()[:, hierarchy.label_order]
    for level in range(hierarchy.n_levels - 1, -1, -1):
        wanted = dense.copy()
        if norm is not None:
            power = {"l1": 1, "l2": 2, "max": np.inf}[norm]
            sizes = np.linalg.norm(wanted, ord=power, axis=1, keepdims=True)
            wanted /= np.where(sizes > 0, sizes, 1.0)
        costs = levels[level].astype(np.float64)
        costs.data = target_costs(levels[level], norm).astype(np.float64)
        np.testing.assert_allclose(costs.toarray(), wanted, rtol=1e-5)
        indptr = hierarchy.child_indptrs[level]
        dense = np.add.reduceat(dense, indptr[:-1], axis=1)


def test_relevance_of_1_is_none_for_labels_and_counts_labels_of_clusters(data):
    X, Y = data
    ones = sp.csr_array(Y, dtype=float)
    plain = small(relevance_norm=None)
    none, one = plain.fit(X, Y), clone(plain).fit(X, Y, relevance=ones)
    np.testing.assert_allclose(
        none._model.levels[-1].arrays["intercepts"],
        one._model.levels[-1].arrays["intercepts"],
        atol=1e-5,
    )
    assert np.any(
        none._model.levels[0].arrays["intercepts"] != one._model.levels[0].arrays["intercepts"]
    )
    same_model(
        small(relevance_norm="l2").fit(X, Y),
        small(relevance_norm="l2").fit(X, Y, relevance=ones),
    )


def test_a_large_relevance_is_learnt_better(data):
    X, Y = data
    rng = np.random.default_rng(1)
    R = sp.csr_array(Y, dtype=np.float64)
    strong = rng.random(R.nnz) < 0.5
    R.data[:] = np.where(strong, 10.0, 0.1)
    scores = small(weight_threshold=0.0).fit(X, Y, relevance=R).predict_proba(X).toarray()
    rows, columns = R.nonzero()
    assert scores[rows, columns][strong].mean() > 2 * scores[rows, columns][~strong].mean()


@pytest.mark.parametrize(
    ("relevance", "message"),
    [
        (np.ones((2, 2)), "relevance must have the shape of y"),
        (sp.csr_array((1500, 300)), "greater than 0, .* wherever y is 1"),
        (np.full((1500, 300), np.inf), "relevance must be finite"),
        (np.full((1500, 300), -1.0), "greater than 0"),
    ],
)
def test_relevance_that_does_not_fit_is_refused(data, relevance, message):
    with pytest.raises(ValueError, match=message):
        small().fit(*data, relevance=relevance)


def test_positive_weight_raises_the_scores_of_positives(data):
    X, Y = data
    rows, columns = Y.nonzero()
    one, ten = (
        small(positive_weight=weight).fit(X, Y).predict_proba(X).toarray()[rows, columns].mean()
        for weight in (0.2, 10.0)
    )
    assert ten > one


def test_rows_of_weight_0_are_as_if_not_there(data):
    X, Y = data
    weights = np.ones(X.shape[0])
    weights[::3] = 0.0
    kept = weights > 0
    negatives = sp.random_array(Y.shape, density=0.001, rng=np.random.default_rng(0)).tocsr()
    relevance = sp.csr_array(Y, dtype=float) * 2.0
    one = small(negatives=negatives).fit(X, Y, sample_weight=weights, relevance=relevance)
    two = small(negatives=sp.csr_array(negatives)[kept])
    same_model(one, two.fit(X[kept], Y[kept], relevance=relevance[kept]))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-1.0, "between 0 and 1e"),
        (1e39, "between 0 and 1e"),
        (0.0, "[Ss]ample.weight"),
        (np.nan, "NaN"),
    ],
)
def test_weights_that_are_none_are_refused(data, weights, message):
    with pytest.raises(ValueError, match=message):
        small().fit(*data, sample_weight=np.full(1500, weights))


# Losses


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge", "log_loss"])
def test_every_loss_ranks(data, loss):
    X, Y = data
    model = small(loss=loss, n_jobs=2).fit(X, Y)
    assert precision_at_k(Y, model.predict_topk(X, k=1), k=1) > 0.6
    same_model(model, small(loss=loss).fit(X, Y))


# Negatives


def test_training_rows_are_unions(data):
    X, Y = data
    model = small().fit(X, Y)
    tree = model.hierarchy_
    level = tree.n_levels - 1
    teacher = tree.node_targets(sp.csr_array(Y))[level - 1]
    beam = sp.random_array(teacher.shape, density=0.05, format="csc", rng=np.random.default_rng(0))
    own = sp.random_array(Y.shape, density=0.002, format="csr", rng=np.random.default_rng(1))
    leaf = tree.leaf_of_label
    own_clusters = np.zeros(teacher.shape, dtype=bool)
    rows, labels = own.nonzero()
    own_clusters[rows, leaf[labels]] = True
    wanted = {
        "tfn": teacher.toarray() > 0,
        "man": beam.toarray() > 0,
        "tfn+man": (teacher.toarray() > 0) | (beam.toarray() > 0),
    }
    cases = [(name, name) for name in wanted] + [(own, "own")]
    wanted["own"] = wanted["tfn"] | own_clusters
    for negatives, name in cases:
        pairs = None if isinstance(negatives, str) else tree.node_targets(negatives)[level - 1]
        rows = training_rows(negatives, teacher, pairs, beam)
        for cluster in range(teacher.shape[1]):
            wanted_rows = np.flatnonzero(wanted[name][:, cluster])
            np.testing.assert_array_equal(rows.of(cluster), wanted_rows)


def test_beam_rows_are_those_of_the_matcher(data):
    X, Y = data
    model = small().fit(X, Y)
    rows = rows_of(X)
    n_clusters = model.hierarchy_.n_leaves
    transforms = Scoring().rule((False,) * model.hierarchy_.n_levels).transforms[:-1]
    passed = beam_rows(model._model.matcher, rows, n_clusters, 3, transforms, 2)
    beam = model._model.matcher.match(rows, 3, transforms)
    wanted = sp.csr_array((np.exp(beam.scores), beam.ids, beam.indptr), shape=passed.shape)
    assert np.array_equal(np.diff(beam.indptr), np.full(rows.n_rows, 3))
    assert passed.has_sorted_indices
    np.testing.assert_array_equal(passed.toarray() > 0, wanted.toarray() > 0)


def test_rows_of_256_labels_in_a_cluster_are_not_lost():
    # Counted in 8 bits they would be none.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 20)).astype(np.float32)
    Y = sp.csr_array((rng.random((30, 600)) < 0.01).astype(np.int8))
    Y = sp.csr_array(Y.maximum(sp.csr_array(np.arange(30)[:, None] == 3) @ np.ones((1, 600))))
    Y = sp.csr_array(Y[:, :] > 0)
    tree = LabelHierarchy.from_parents([[0, 0], np.repeat([0, 1], [256, 344])])
    targets = tree.node_targets(Y)[0]
    assert np.all(targets.data)
    none = sp.csr_array(Y.shape)
    plain = {"label_tree": tree, "relevance_norm": None, "max_iter": 1000, "random_state": 0}
    same_model(
        XRLinearClassifier(**plain).fit(X, Y),
        XRLinearClassifier(**plain, negatives=none).fit(X, Y),
    )


def test_values_spread_over_levels():
    assert expand_to_levels("a", 3) == ["a"] * 3
    assert expand_to_levels(["a", "b"], 4) == ["a", "a", "a", "b"]
    assert expand_to_levels(["a", "b", "c"], 2) == ["b", "c"]


@pytest.mark.parametrize(
    "negatives", quick.first(2, ["man", ("tfn", "tfn+man"), "tfn+man", ("man", "tfn")])
)
def test_matcher_aware_models_do_not_depend_on_n_jobs(data, negatives):
    X, Y = data
    one = small(negatives=negatives).fit(X, Y)
    same_model(one, small(negatives=negatives, n_jobs=2).fit(X, Y))
    assert precision_at_k(Y, one.predict_topk(X, k=1), k=1) > 0.8
    levels = small().fit(X, Y)._model.levels
    changed = [
        not np.array_equal(a.arrays["entry_weights"], b.arrays["entry_weights"])
        for a, b in zip(one._model.levels, levels, strict=True)
    ]
    names = expand_to_levels(
        list(negatives) if isinstance(negatives, tuple) else negatives, len(levels)
    )
    assert changed == [False] + [name != "tfn" for name in names[1:]]


def test_a_pair_of_the_user_teaches_the_cluster_to_refuse_the_row(data):
    X, Y = data
    model = small().fit(X, Y)
    scores = model.predict_proba(X)
    wrong = scores - scores.multiply(Y)
    wrong = sp.csr_array(wrong > 0.3)
    assert wrong.nnz > 10
    taught = small(negatives=wrong).fit(X, Y).predict_proba(X)
    assert taught.multiply(wrong).sum() < 0.8 * scores.multiply(wrong).sum()


@pytest.mark.parametrize(
    "negatives", ["all", [], ["tfn", "x"], np.ones((3, 3)), np.full((1500, 300), np.nan)]
)
def test_negatives_that_are_none_are_refused(data, negatives):
    with pytest.raises(ValueError, match="negatives"):
        small(negatives=negatives).fit(*data)


# Ensembles


def test_an_ensemble_averages_its_trees(data):
    X, Y = data
    model = small(n_trees=3).fit(X, Y)
    dense = 0.0
    assert len(model._model.models) == 3
    orders = {tuple(tree.hierarchy.label_order) for tree in model._model.models}
    assert len(orders) == 3
    for tree in model._model.models:
        alone = small().fit(X, Y)
        alone._model = tree
        labels, scores = alone.predict_topk(X, k=100)
        votes = np.zeros(Y.shape)
        there = labels >= 0
        rows = np.broadcast_to(np.arange(len(labels))[:, None], labels.shape)
        votes[rows[there], labels[there]] = scores[there]
        dense = dense + votes / 3
    got = model.predict_proba(X).toarray()
    np.testing.assert_allclose(got, dense, rtol=2e-5, atol=1e-30)
    labels, scores = model.predict_topk(X, k=5)
    np.testing.assert_allclose(scores, np.sort(dense, axis=1)[:, :-6:-1], rtol=2e-5)
    np.testing.assert_array_equal(np.take_along_axis(got, labels.astype(int), axis=1), scores)


def test_ensemble_ranks_single_rows_as_in_a_batch(data):
    X, Y = data
    X = sp.csr_array(X.astype(np.float32))
    model = small(n_trees=2, n_jobs=2).fit(X, Y)
    labels, scores = model.predict_topk(X[:40], k=8)
    for row in range(40):
        one, score = model.predict_topk(X[[row]], k=8)
        np.testing.assert_array_equal(one[0], labels[row])
        np.testing.assert_array_equal(score[0], scores[row])
    assert np.all((scores > 0) & (scores <= 1))


def test_a_row_is_given_room_for_what_is_kept_of_it(data):
    # Blocks of rows are as large as that allows: small ones lose the cache.
    tree = small().fit(*data)._model
    assert tree.max_scores(3, 5) == 5
    assert tree.max_scores(3, 1000) == tree.max_scores(3) <= 3 * 10
    # Trees of an ensemble keep more than is shown.
    ensemble = small(n_trees=2).fit(*data)._model
    assert ensemble.max_scores(3, 5) == ensemble.max_scores(3) >= 2 * 100


def rows_of(X):
    return as_rows(sp.csr_array(X, dtype=np.float32))


@pytest.mark.parametrize(
    "tree",
    [LabelHierarchy.from_parents([np.zeros(300, int)]), HierarchicalLabelTree(random_state=0)],
)
def test_trees_that_would_be_equal_are_refused(data, tree):
    with pytest.raises(ValueError, match="label_tree must lead to different trees"):
        XRLinearClassifier(label_tree=tree, n_trees=2).fit(*data)
    with pytest.raises(ValueError, match="label_tree must lead to different trees"):
        XRLinearClassifier(label_tree=[tree, copy.deepcopy(tree)], n_trees=2).fit(*data)


def test_trees_that_overrides_make_equal_are_refused(data):
    trees = [HierarchicalLabelTree(width, 20, random_state=0) for width in (2, 4)]
    XRLinearClassifier(label_tree=trees, n_trees=2).fit(*data)
    with pytest.raises(ValueError, match="label_tree must lead to different trees"):
        XRLinearClassifier(branching_factor=8, label_tree=trees, n_trees=2).fit(*data)


def test_trees_take_the_shapes_of_a_sequence_in_turn(data):
    flat = LabelHierarchy.from_parents([np.zeros(300, int)])
    shapes = [HierarchicalLabelTree(4, 20), flat, None]
    model = XRLinearClassifier(label_tree=shapes, n_trees=3, random_state=0)
    trees = [tree.hierarchy for tree in model.fit(*data)._model.models]
    assert max(int(np.diff(indptr).max()) for indptr in trees[0].child_indptrs) <= 20
    assert trees[1] == flat
    assert trees[2].n_levels == 2
    assert trees[2].level_sizes != trees[0].level_sizes
    four = clone(model).set_params(label_tree=shapes[:1] + shapes[2:], n_trees=4).fit(*data)
    sizes = [tree.hierarchy.level_sizes for tree in four._model.models]
    assert sizes[0] == sizes[2] != sizes[1] == sizes[3]


@pytest.mark.parametrize(
    ("trees", "message"),
    [
        ([], "label_tree must have .* n_trees=2 entries .*; got 0"),
        ([None, None, None], "label_tree must have .* n_trees=2 entries .*; got 3"),
        ([None, "kmeans"], r"label_tree\[1\] must be a HierarchicalLabelTree.* got 'kmeans'"),
        (
            [None, LabelHierarchy.from_parents([np.zeros(7, int)])],
            "label_tree must have 300 labels.*LabelHierarchy of 7 labels",
        ),
    ],
)
def test_sequences_of_trees_that_do_not_fit_are_refused(data, trees, message):
    with pytest.raises(ValueError, match=message):
        XRLinearClassifier(label_tree=trees, n_trees=2).fit(*data)


def test_a_grid_over_training_options(data):
    X, Y = data
    grid = {"relevance_norm": [None, "l1"], "positive_weight": [1.0, 3.0]}
    search = GridSearchCV(small(), grid, scoring=topk_scorer("precision", k=3), cv=2)
    search.fit(X, Y)
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))


# Combinations, presets


def test_matcher_level_without_matcher_is_an_error_before_any_work(data):
    def features(X, Y):
        raise AssertionError("work was done")

    with pytest.raises(ValueError, match="matcher_level must be -1 if matcher is None; got 2"):
        small(label_features=features, matcher_level=2).fit(*data)


def test_relevance_is_checked_before_rows_are_left_out(data):
    X, Y = data
    weights = np.arange(1500) % 2
    for rows in (1400, 1600):
        with pytest.raises(ValueError, match="relevance must have the shape of y"):
            small().fit(X, Y, sample_weight=weights, relevance=np.ones((rows, 300)))


def test_a_refused_refit_loses_nothing(data):
    X, Y = data
    model = small().fit(X, Y)
    before = model.predict_topk(X[:5], k=3)
    model.set_params(max_iter=1, tol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning):
            model.fit(X[:, :100], Y[:, :20])
    np.testing.assert_array_equal(model.predict_topk(X[:5], k=3)[0], before[0])
    assert len(model.classes_) == 300


def test_presets_are_settings_of_the_classifier_and_of_nobody_else(data):
    X, Y = data
    for name in ("fast", "balanced", "best"):
        model = XRLinearClassifier(**preset(name), random_state=0).fit(X, Y)
        assert precision_at_k(Y, model.predict_topk(X, k=1), k=1) > 0.8
    model.label_tree[0].set_params(max_iter=77)
    assert (
        preset("best")["label_tree"][0].max_iter == preset("balanced")["label_tree"].max_iter != 77
    )
    with pytest.raises(ValueError, match="name must be one of fast, balanced, best; got 'slow'"):
        preset("slow")
