"""Ensembles: `n_trees` and sequences of label trees."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from helpers.scores import make_candidates
from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr._core.rows import as_rows
from skxmr.datasets import make_extreme_multilabel

ROWS = 12


@pytest.fixture(scope="module")
def data():
    return make_extreme_multilabel(
        n_samples=1500, n_features=800, n_labels=300, n_labels_per_sample=4, random_state=0
    )


def make_classifier(**parameters):
    return XRLinearClassifier(4, 10, random_state=0, **parameters)


@pytest.fixture(scope="module")
def two_trees(xmc_data):
    return XRLinearClassifier(4, 10, n_trees=2, random_state=0).fit(*xmc_data)


def test_ensemble_averages_the_scores_of_its_trees(data):
    X, Y = data
    model = make_classifier(n_trees=3).fit(X, Y)
    total = 0.0
    assert len(model._model.models) == 3
    orders = {tuple(tree.hierarchy.label_order) for tree in model._model.models}
    assert len(orders) == 3
    for tree in model._model.models:
        single = make_classifier().fit(X, Y)
        single._model = tree
        labels, scores = single.predict_topk(X, k=100)
        votes = np.zeros(Y.shape)
        is_label = labels >= 0
        rows = np.broadcast_to(np.arange(len(labels))[:, None], labels.shape)
        votes[rows[is_label], labels[is_label]] = scores[is_label]
        total = total + votes / 3
    got = model.predict_proba(X).toarray()
    np.testing.assert_allclose(got, total, rtol=2e-5, atol=1e-30)
    labels, scores = model.predict_topk(X, k=5)
    np.testing.assert_allclose(scores, np.sort(total, axis=1)[:, :-6:-1], rtol=2e-5)
    np.testing.assert_array_equal(np.take_along_axis(got, labels.astype(int), axis=1), scores)


@pytest.mark.parametrize("transform", ["log-l3-hinge", ("l3-hinge", "identity"), "sigmoid"])
def test_ensemble_averages_probabilities_for_every_transform(two_trees, xmc_data, transform):
    X = xmc_data[0][:ROWS]
    two_trees.set_params(score_transform=transform, beam_width=None)
    labels, scores = two_trees.predict_topk(X, k=5)
    P = two_trees.predict_proba(X).toarray()
    candidates = make_candidates(np.random.default_rng(4), ROWS)
    S = two_trees.score_candidates(X, candidates).toarray()
    score_params = two_trees._score_params()
    votes = []
    for tree in two_trees._model.models:
        ranking = tree.rank(as_rows(X), None, score_params)
        values = tree.score_form(score_params).probabilities(ranking.scores)
        shape = (ROWS, 150)
        votes.append(sp.csr_array((values, ranking.ids, ranking.indptr), shape=shape).toarray())
    mean = np.mean(votes, axis=0)
    chosen = np.take_along_axis(mean, labels, 1)
    # Each tree votes only for its 100 best labels of 150.
    np.testing.assert_allclose(-np.sort(-mean, axis=1)[:, :5], chosen, rtol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(P, labels, 1), chosen, rtol=1e-5)
    shown = (
        np.log(chosen) if two_trees.get_params()["score_transform"] == "log-l3-hinge" else chosen
    )
    np.testing.assert_allclose(scores, shown, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(S > 0, candidates.toarray() > 0)
    np.testing.assert_allclose(S[S > 0], mean[S > 0], rtol=1e-5)


def test_ensemble_ranks_single_rows_like_a_batch(data):
    X, Y = data
    X = sp.csr_array(X.astype(np.float32))
    model = make_classifier(n_trees=2, n_jobs=2).fit(X, Y)
    labels, scores = model.predict_topk(X[:40], k=8)
    for row in range(40):
        one, score = model.predict_topk(X[[row]], k=8)
        np.testing.assert_array_equal(one[0], labels[row])
        np.testing.assert_array_equal(score[0], scores[row])
    assert np.all((scores > 0) & (scores <= 1))


def test_max_scores_counts_the_scores_kept_per_row(data):
    # This limits the size of blocks of rows; small blocks use the cache badly.
    tree = make_classifier().fit(*data)._model
    assert tree.max_scores(3, 5) == 5
    assert tree.max_scores(3, 1000) == tree.max_scores(3) <= 3 * 10
    # Trees of an ensemble keep more labels than the ensemble returns.
    ensemble = make_classifier(n_trees=2).fit(*data)._model
    assert ensemble.max_scores(3, 5) == ensemble.max_scores(3) >= 2 * 100


def test_prune_changes_all_trees(xmc_data):
    model = XRLinearClassifier(4, 10, n_trees=2, random_state=0).fit(*xmc_data)
    other = XRLinearClassifier(4, 10, n_trees=2, weight_threshold=0.4, random_state=0).fit(
        *xmc_data
    )
    model.prune(weight_threshold=0.4)
    for got, expected in zip(
        model.predict_topk(xmc_data[0]), other.predict_topk(xmc_data[0]), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    "tree",
    [LabelHierarchy.from_parents([np.zeros(300, int)]), HierarchicalLabelTree(random_state=0)],
)
def test_label_tree_rejects_seeded_trees_that_would_be_equal(data, tree):
    with pytest.raises(ValueError, match="label_tree must lead to different trees"):
        XRLinearClassifier(label_tree=tree, n_trees=2).fit(*data)
    with pytest.raises(ValueError, match="label_tree must lead to different trees"):
        XRLinearClassifier(label_tree=[tree, copy.deepcopy(tree)], n_trees=2).fit(*data)


def test_label_tree_rejects_trees_made_equal_by_parameters(data):
    trees = [HierarchicalLabelTree(width, 20, random_state=0) for width in (2, 4)]
    XRLinearClassifier(label_tree=trees, n_trees=2).fit(*data)
    with pytest.raises(ValueError, match="label_tree must lead to different trees"):
        XRLinearClassifier(branching_factor=8, label_tree=trees, n_trees=2).fit(*data)


def test_label_tree_sequence_is_used_in_turn(data):
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
def test_label_tree_rejects_sequences_that_do_not_match(data, trees, message):
    with pytest.raises(ValueError, match=message):
        XRLinearClassifier(label_tree=trees, n_trees=2).fit(*data)
