"""`negatives`: rows that each cluster trains on."""

import numpy as np
import pytest
import scipy.sparse as sp

from helpers import quick
from helpers.models import assert_equal_models
from helpers.reference import dense_weights
from skxmr import LabelHierarchy, XRLinearClassifier
from skxmr._core.levels import expand_to_levels
from skxmr._core.rows import as_rows
from skxmr._core.score_rule import ScoreParams
from skxmr.datasets import make_extreme_multilabel
from skxmr.matching._negative_sampling import find_beam_rows, select_training_rows
from skxmr.metrics import precision_at_k


@pytest.fixture(scope="module")
def data():
    return make_extreme_multilabel(
        n_samples=1500, n_features=800, n_labels=300, n_labels_per_sample=4, random_state=0
    )


def make_classifier(**parameters):
    return XRLinearClassifier(4, 10, random_state=0, **parameters)


def test_select_training_rows_returns_unions_of_positives_beam_and_custom_pairs(data):
    X, Y = data
    model = make_classifier().fit(X, Y)
    tree = model.hierarchy_
    level = tree.n_levels - 1
    teacher = tree.node_targets(sp.csr_array(Y))[level - 1]
    beam = sp.random_array(teacher.shape, density=0.05, format="csc", rng=np.random.default_rng(0))
    custom = sp.random_array(Y.shape, density=0.002, format="csr", rng=np.random.default_rng(1))
    leaf = tree.leaf_of_label
    custom_clusters = np.zeros(teacher.shape, dtype=bool)
    rows, labels = custom.nonzero()
    custom_clusters[rows, leaf[labels]] = True
    expected = {
        "tfn": teacher.toarray() > 0,
        "man": beam.toarray() > 0,
        "tfn+man": (teacher.toarray() > 0) | (beam.toarray() > 0),
    }
    cases = [(name, name) for name in expected] + [(custom, "custom")]
    expected["custom"] = expected["tfn"] | custom_clusters
    for negatives, name in cases:
        pairs = None if isinstance(negatives, str) else tree.node_targets(negatives)[level - 1]
        rows = select_training_rows(negatives, teacher, pairs, beam)
        for cluster in range(teacher.shape[1]):
            expected_rows = np.flatnonzero(expected[name][:, cluster])
            np.testing.assert_array_equal(rows.of(cluster), expected_rows)


def test_find_beam_rows_returns_the_rows_that_the_matcher_passes(data):
    X, Y = data
    model = make_classifier().fit(X, Y)
    rows = as_rows(sp.csr_array(X, dtype=np.float32))
    n_clusters = model.hierarchy_.n_leaves
    transforms = ScoreParams().make_rule((False,) * model.hierarchy_.n_levels).transforms[:-1]
    passed = find_beam_rows(model._model.matcher, rows, n_clusters, 3, transforms, 2)
    beam = model._model.matcher.match(rows, 3, transforms)
    expected = sp.csr_array((np.exp(beam.scores), beam.ids, beam.indptr), shape=passed.shape)
    assert np.array_equal(np.diff(beam.indptr), np.full(rows.n_rows, 3))
    assert passed.has_sorted_indices
    np.testing.assert_array_equal(passed.toarray() > 0, expected.toarray() > 0)


def test_teacher_forcing_trains_each_cluster_only_on_its_rows(xmc_data):
    # Two clusters: rows without a label of the first cluster must not change its models.
    X, Y = xmc_data
    tree = LabelHierarchy.from_parents([[0, 0], np.arange(150) % 2])
    # A relevance norm would depend on the labels of both clusters.
    plain = {"relevance_norm": None, "random_state": 0}
    model = XRLinearClassifier(label_tree=tree, **plain).fit(X, Y)
    rows = np.flatnonzero(np.asarray(Y[:, 0::2].sum(axis=1)).ravel())
    single = XRLinearClassifier(max_leaf_size=100, tol=1e-4, max_iter=3000, **plain)
    single.fit(X[rows], Y[rows][:, 0::2])
    model.set_params(tol=1e-4, max_iter=3000).fit(X, Y)
    W, b = dense_weights(model._model.ranker.level)
    V, c = dense_weights(single._model.ranker.level)
    # A weight near the threshold can be stored in one model and dropped in the other.
    differ = np.abs(W[:, :75] - V)
    assert np.all((differ < 1e-2) | (np.abs(W[:, :75] + V) < 0.11))
    np.testing.assert_allclose(b[:75], c, atol=1e-2)


@pytest.mark.parametrize(
    "negatives", quick.first(2, ["man", ("tfn", "tfn+man"), "tfn+man", ("man", "tfn")])
)
def test_matcher_aware_negatives_do_not_depend_on_n_jobs(data, negatives):
    X, Y = data
    one = make_classifier(negatives=negatives).fit(X, Y)
    assert_equal_models(one, make_classifier(negatives=negatives, n_jobs=2).fit(X, Y))
    assert precision_at_k(Y, one.predict_topk(X, k=1), k=1) > 0.8
    levels = make_classifier().fit(X, Y)._model.levels
    changed = [
        not np.array_equal(a.arrays["entry_weights"], b.arrays["entry_weights"])
        for a, b in zip(one._model.levels, levels, strict=True)
    ]
    names = expand_to_levels(
        list(negatives) if isinstance(negatives, tuple) else negatives, len(levels)
    )
    assert changed == [False] + [name != "tfn" for name in names[1:]]


def test_random_negatives_add_clusters_to_each_row(data):
    X, Y = data
    model = make_classifier().fit(X, Y)
    level = model.hierarchy_.n_levels - 1
    teacher = model.hierarchy_.node_targets(sp.csr_array(Y))[level - 1]
    used = np.zeros(teacher.shape, dtype=bool)
    rows = select_training_rows("tfn+random", teacher, seed=3)
    for cluster in range(teacher.shape[1]):
        used[rows.of(cluster), cluster] = True
    positive = teacher.toarray() > 0
    assert np.all(used[positive])
    added = (used & ~positive).sum(axis=1)
    assert added.max() == 5
    # Some of the five clusters are equal, and some are those of the row's own labels.
    assert 3.5 < added.mean() < 4.9
    again = select_training_rows("tfn+random", teacher, seed=3)
    np.testing.assert_array_equal(again.rows, rows.rows)
    assert not np.array_equal(select_training_rows("tfn+random", teacher, seed=4).rows, rows.rows)


@pytest.mark.parametrize("negatives", ["tfn+random", ("tfn", "tfn+random")])
def test_random_negatives_change_only_their_levels(data, negatives):
    X, Y = data
    one = make_classifier(negatives=negatives).fit(X, Y)
    assert_equal_models(one, make_classifier(negatives=negatives, n_jobs=2).fit(X, Y))
    levels = make_classifier().fit(X, Y)._model.levels
    changed = [
        not np.array_equal(a.arrays["entry_weights"], b.arrays["entry_weights"])
        for a, b in zip(one._model.levels, levels, strict=True)
    ]
    n_levels = len(levels)
    everywhere = isinstance(negatives, str)
    # The root has all rows in any case.
    assert changed == [False] + [everywhere] * (n_levels - 2) + [True]


def test_matcher_aware_negatives_use_the_beam_width(xmc_data):
    # The negatives are the rows that the beam passes; an exact search passes every row.
    X, Y = xmc_data
    fits = [
        XRLinearClassifier(4, 10, negatives="man", random_state=0, **params).fit(X, Y)
        for params in ({"beam_width": None}, {"beam_width": 1000}, {"beam_width": 2})
    ]
    exact, wide, narrow = [fit._model.ranker.level.arrays["intercepts"] for fit in fits]
    np.testing.assert_array_equal(exact, wide)
    assert not np.array_equal(exact, narrow)


def test_custom_pairs_lower_the_scores_of_these_pairs(data):
    X, Y = data
    model = make_classifier().fit(X, Y)
    scores = model.predict_proba(X)
    wrong = scores - scores.multiply(Y)
    wrong = sp.csr_array(wrong > 0.3)
    assert wrong.nnz > 10
    retrained = make_classifier(negatives=wrong).fit(X, Y).predict_proba(X)
    assert retrained.multiply(wrong).sum() < 0.8 * scores.multiply(wrong).sum()


def test_training_rows_keep_rows_with_256_labels_in_a_cluster():
    # A count of 256 would be 0 in 8 bits.
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
    assert_equal_models(
        XRLinearClassifier(**plain).fit(X, Y),
        XRLinearClassifier(**plain, negatives=none).fit(X, Y),
    )


@pytest.mark.parametrize(
    "negatives", ["all", [], ["tfn", "x"], np.ones((3, 3)), np.full((1500, 300), np.nan)]
)
def test_negatives_rejects_invalid_values(data, negatives):
    with pytest.raises(ValueError, match="negatives"):
        make_classifier(negatives=negatives).fit(*data)
