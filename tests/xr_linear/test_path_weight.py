"""`path_weight`: the weight of the clusters in the score of a label, and its default."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from skxmr import LabelHierarchy, XRLinearClassifier, load_model, save_model
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import precision_at_k
from skxmr.xr_linear._path_weight import choose_path_weight


def indicator(n_rows_of_labels):
    """Return an indicator in which each label has its own rows."""
    labels = np.repeat(np.arange(len(n_rows_of_labels)), n_rows_of_labels)
    shape = (len(labels), len(n_rows_of_labels))
    return sp.csr_array((np.ones(len(labels)), (np.arange(len(labels)), labels)), shape=shape)


def leaves_of(n_labels, size):
    """Return a tree with leaf clusters of about the given size."""
    n_leaves = max(n_labels // size, 1)
    return LabelHierarchy.from_parents([[0] * n_leaves, np.arange(n_labels) % n_leaves])


@pytest.mark.parametrize(
    ("n_rows", "expected"),
    [
        ([5] * 50, 1 / 3),  # equal
        ([5] * 20 + [0] * 30, 1 / 3),  # labels without rows do not count
        ([60] * 50, 60 / 90),  # many rows per label
        ([200] * 50, 200 / 90),
        ([1] * 49 + [100], np.sqrt(10049 / 50) / (3 * 149 / 50)),  # a frequent label
    ],
)
def test_path_weight_depends_on_the_frequencies_of_the_labels(n_rows, expected):
    Y, trees = indicator(n_rows), [leaves_of(len(n_rows), 100)]
    # There are fewer labels than MANY_LABELS.
    expected = min(max(expected * np.sqrt(64 / len(n_rows)), 0.4), 1.0)
    assert choose_path_weight(Y, None, trees) == pytest.approx(expected)
    # A row with the weight 2 counts as two rows.
    weights = np.full(Y.shape[0], 2.0, dtype=np.float32)
    twice = sp.csr_array(sp.vstack([Y, Y]))
    assert choose_path_weight(Y, weights, trees) == choose_path_weight(twice, None, trees)


def test_path_weight_is_larger_in_small_leaf_clusters():
    Y = indicator([2, 3] * 400)
    weights = [choose_path_weight(Y, None, [leaves_of(800, size)]) for size in (200, 100, 30, 4)]
    assert weights[0] == weights[1] == 0.4
    assert weights[2] == pytest.approx(np.sqrt(6.5) / 7.5 * np.sqrt(64 / (800 / 26)))
    assert weights[3] == 1.0
    several = [leaves_of(800, 200), leaves_of(800, 4)]
    assert choose_path_weight(Y, None, several) == pytest.approx(0.7)


def test_auto_predicts_as_the_number_it_stands_for(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 50, random_state=0).fit(X, Y)
    assert 0.4 <= model.path_weight_ < 1
    labels, scores = model.predict_topk(X, k=5)
    explicit = model.set_params(path_weight=model.path_weight_).predict_topk(X, k=5)
    np.testing.assert_array_equal(explicit[0], labels)
    np.testing.assert_array_equal(explicit[1], scores)
    whole = model.set_params(path_weight=1.0).predict_topk(X, k=5)
    assert np.all(whole[1][:, 0] <= scores[:, 0])
    assert np.any(whole[1] < scores)


@pytest.mark.parametrize("transform", ["sigmoid", ("log-l3-hinge", "log-sigmoid"), "identity"])
def test_auto_is_one_for_probabilities_and_margins(xmc_data, transform):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 50, score_transform=transform, random_state=0).fit(X, Y)
    assert model.path_weight_ < 1
    auto = model.predict_topk(X, k=5)
    whole = model.set_params(path_weight=1.0).predict_topk(X, k=5)
    np.testing.assert_array_equal(auto[1], whole[1])


@pytest.mark.parametrize(
    "custom",
    [{"matcher": OneVsRestClassifier(LogisticRegression())}, {"ranker": LogisticRegression()}],
    ids=["matcher", "ranker"],
)
def test_auto_is_one_with_custom_estimators(xmc_data, custom):
    X, Y = xmc_data[0][:200], xmc_data[1][:200, 50:100]
    linear = XRLinearClassifier(2, 25, random_state=0)
    assert linear.fit(X, Y).path_weight_ < 1
    assert linear.set_params(**custom).fit(X, Y).path_weight_ == 1.0


@pytest.mark.parametrize("custom_ranker", [None, LogisticRegression()])
def test_only_labels_of_clusters_do_not_rank_above_others(xmc_data, custom_ranker):
    # Such a label has no score of its own. With the path weight alone it would nearly always win.
    X, Y = xmc_data[0], xmc_data[1][:, :60]
    tree = LabelHierarchy.from_parents([[0, 0, 0, 0], [0, 1, *[2, 3] * 29]])
    model = XRLinearClassifier(label_tree=tree, ranker=custom_ranker, random_state=0).fit(X, Y)
    labels = model.set_params(path_weight=1.0).predict_topk(X, k=1)[0]
    share = np.mean(labels < 2)
    assert 0 < share < 0.3
    labels, _ = model.set_params(path_weight=0.1).predict_topk(X, k=1)
    assert np.mean(labels < 2) <= share
    P = model.predict_proba(X).toarray()
    whole = model.set_params(path_weight=1.0).predict_proba(X).toarray()
    np.testing.assert_allclose(P[:, :2], whole[:, :2], rtol=1e-4)
    assert np.all(P[:, 2:] >= whole[:, 2:])
    assert np.mean(P[:, 2:] > whole[:, 2:]) > 0.8


def test_path_weight_is_kept_in_files_and_is_one_in_older_models(xmc_data, tmp_path):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 50, random_state=0).fit(X, Y)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.path_weight_ == model.path_weight_
    np.testing.assert_array_equal(loaded.predict_topk(X)[1], model.predict_topk(X)[1])
    del model.path_weight_  # a model of an earlier version
    older = model.predict_topk(X)[1]
    np.testing.assert_array_equal(older, model.set_params(path_weight=1.0).predict_topk(X)[1])


def test_default_ranks_better_if_labels_are_equally_frequent():
    X, Y = make_extreme_multilabel(
        n_samples=6000, n_labels=1000, label_exponent=0.0, background=0.3, random_state=0
    )
    model = XRLinearClassifier(max_leaf_size=50, random_state=0).fit(X[:5000], Y[:5000])
    by_default = precision_at_k(Y[5000:], model.predict_topk(X[5000:], k=5), k=5)
    model.set_params(path_weight=1.0)
    assert by_default > precision_at_k(Y[5000:], model.predict_topk(X[5000:], k=5), k=5) + 0.003
