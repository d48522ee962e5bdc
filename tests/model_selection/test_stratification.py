"""`IterativeStratification`: equals the published algorithm and spreads labels over all folds."""

from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GridSearchCV, KFold, check_cv

from skxmr import XRLinearClassifier
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import topk_scorer
from skxmr.model_selection import IterativeStratification, cross_val_score


def reference_folds(Y, n_splits, order):
    """Algorithm 1 of Sechidis et al. (2011), on dense arrays; ties go to the first."""
    n_samples = len(Y)
    if order == 2:
        pairs = [Y[:, i] * Y[:, j] for i, j in combinations(range(Y.shape[1]), 2)]
        pairs = [pair for pair in pairs if pair.any()]
        Y = np.column_stack([Y, *pairs])
    Y = Y[:, Y.sum(axis=0) > 1]
    folds = np.full(n_samples, -1)
    needed = np.full(n_samples, n_samples / n_splits)[:n_splits]
    needed_of_label = np.tile(Y.sum(axis=0) / n_splits, (n_splits, 1))
    while (folds < 0).any():
        n_remaining = Y[folds < 0].sum(axis=0)
        if not n_remaining.any():
            rows = np.flatnonzero(folds < 0)
            needed_of_this = np.zeros(n_splits)
        else:
            label = min(np.flatnonzero(n_remaining), key=lambda j: n_remaining[j])
            rows = np.flatnonzero((folds < 0) & (Y[:, label] > 0))
            needed_of_this = needed_of_label[:, label]
        for row in rows:
            fold = max(range(n_splits), key=lambda j: (needed_of_this[j], needed[j], -j))
            folds[row] = fold
            needed_of_label[fold] -= Y[row]
            needed[fold] -= 1
    return folds


def get_folds(splitter, Y):
    folds = np.full(Y.shape[0], -1)
    for fold, (train, test) in enumerate(splitter.split(Y, Y)):
        np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(folds)))
        assert np.all(np.diff(train) > 0)
        assert np.all(np.diff(test) > 0)
        assert np.all(folds[test] == -1)
        folds[test] = fold
    assert folds.min() == 0
    assert fold + 1 == splitter.get_n_splits(Y, Y)
    return folds


@given(
    st.integers(5, 40), st.integers(1, 12), st.integers(2, 5), st.integers(0, 99), st.integers(1, 2)
)
def test_split_equals_published_algorithm(n_samples, n_labels, n_splits, seed, order):
    Y = np.random.default_rng(seed).random((n_samples, n_labels)) < 0.3
    expected = reference_folds(Y.astype(int), n_splits, order)
    for container in (Y.astype(int), sp.csc_array(Y), sp.coo_matrix(Y)):
        if sp.issparse(container) or n_labels > 1:
            splitter = IterativeStratification(n_splits, order=order)
            np.testing.assert_array_equal(get_folds(splitter, container), expected)


def compute_unevenness(Y, folds):
    """Return the mean deviation from an even distribution, over labels with at least 2 rows."""
    membership = sp.csr_array((np.ones(len(folds)), (folds, np.arange(len(folds)))))
    counts = (membership @ sp.csr_array(Y)).toarray()
    total = counts.sum(axis=0)
    return np.abs(counts[:, total > 1] / total[total > 1] - 1 / len(counts)).mean()


@pytest.fixture(scope="module")
def long_tail():
    return make_extreme_multilabel(
        n_samples=3000, n_features=300, n_labels=1500, n_features_per_sample=8, random_state=0
    )


def test_split_spreads_labels_over_folds_of_similar_size(long_tail):
    _, Y = long_tail
    kfold = get_folds(KFold(5, shuffle=True, random_state=0), Y)
    kfold_unevenness = compute_unevenness(Y, kfold)
    for splitter in (
        IterativeStratification(),
        IterativeStratification(shuffle=True, random_state=0),
        IterativeStratification(order=2),
    ):
        folds = get_folds(splitter, Y)
        assert compute_unevenness(Y, folds) < 0.85 * kfold_unevenness
        sizes = np.bincount(folds)
        assert np.ptp(sizes) < 0.05 * sizes.mean()
        # Labels with at least two rows, all of them in one fold.
        counts = np.array([np.asarray(Y[folds == j].sum(axis=0)).ravel() for j in range(5)])
        n_lost = np.sum((counts.sum(axis=0) > 1) & (counts.max(axis=0) == counts.sum(axis=0)))
        assert n_lost <= 2
    counts = np.array([np.asarray(Y[kfold == j].sum(axis=0)).ravel() for j in range(5)])
    assert np.sum((counts.sum(axis=0) > 1) & (counts.max(axis=0) == counts.sum(axis=0))) > 20


def test_split_of_order_two_spreads_pairs_of_labels():
    rng = np.random.default_rng(0)
    Y = (rng.random((2000, 12)) < 0.2).astype(int)
    pairs = np.column_stack([Y[:, i] * Y[:, j] for i, j in combinations(range(12), 2)])
    first = get_folds(IterativeStratification(order=1), Y)
    second = get_folds(IterativeStratification(order=2), Y)
    assert compute_unevenness(pairs, second) < 0.5 * compute_unevenness(pairs, first)
    assert compute_unevenness(Y, second) < 0.01


def test_split_accepts_single_label_classes():
    y = np.repeat(["a", "b", "c"], [50, 7, 3])
    folds = get_folds(IterativeStratification(3), y)
    for name in "abc":
        assert np.ptp(np.bincount(folds[y == name], minlength=3)) <= 1
    np.testing.assert_array_equal(np.bincount(folds), [20, 20, 20])


def test_shuffle_depends_on_random_state(long_tail):
    _, Y = long_tail
    seeded = IterativeStratification(shuffle=True, random_state=0)
    first = get_folds(seeded, Y)
    np.testing.assert_array_equal(get_folds(seeded, Y), first)
    assert np.any(get_folds(IterativeStratification(shuffle=True, random_state=1), Y) != first)
    instance = IterativeStratification(shuffle=True, random_state=np.random.RandomState(0))
    assert np.any(get_folds(instance, Y) != get_folds(instance, Y))
    plain = IterativeStratification()
    np.testing.assert_array_equal(get_folds(plain, Y), get_folds(plain, Y))
    assert (
        repr(seeded) == "IterativeStratification(n_splits=5, order=1, random_state=0, shuffle=True)"
    )


def test_splitter_works_in_searches_and_cross_val_score(long_tail):
    X, Y = long_tail
    splitter = IterativeStratification(2)
    assert check_cv(splitter) is splitter
    model = XRLinearClassifier(random_state=0)
    scorer = topk_scorer("recall", k=5)
    search = GridSearchCV(model, {"beam_width": [10]}, scoring=scorer, cv=splitter).fit(X, Y)
    scores = cross_val_score(model, X, Y, scoring=scorer, cv=splitter)
    assert search.best_score_ == scores.mean()


def test_split_distributes_rows_without_labels_evenly():
    Y = sp.csr_array((11, 3), dtype=int)
    np.testing.assert_array_equal(np.bincount(get_folds(IterativeStratification(3), Y)), [4, 4, 3])
    Y = sp.csr_array(np.eye(12, 3, dtype=int).repeat(2, axis=0))
    folds = get_folds(IterativeStratification(2), Y)
    np.testing.assert_array_equal(np.bincount(folds), [12, 12])
    np.testing.assert_array_equal(folds[0:6:2] + folds[1:6:2], [1, 1, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_splits": 1}, "n_splits must be .*; got 1"),
        ({"n_splits": 2.0}, "n_splits must be .*; got 2.0"),
        ({"order": 3}, "order must be .*; got 3"),
        ({"shuffle": "yes"}, "shuffle must be .*; got 'yes'"),
        ({"random_state": 0}, "random_state must be None .*; got 0"),
        ({"shuffle": True, "random_state": "seed"}, "'seed' cannot be used to seed"),
    ],
)
def test_splitter_raises_for_invalid_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        IterativeStratification(**arguments)


def test_split_raises_for_invalid_targets():
    splitter = IterativeStratification(4)
    X = np.ones((6, 2))
    for y, message in (
        (None, "y must be an indicator or classes; got None"),
        (sp.csr_array(X * 2), "indicator of 0 and 1; got the value"),
        (sp.csr_array(X[:5]), "inconsistent"),
        (X * np.nan, "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            next(splitter.split(X, y))
    with pytest.raises(ValueError, match="n_splits must be at most the number of rows, 3; got 4"):
        next(splitter.split(X[:3], sp.csr_array(X[:3])))
