"""`IterativeStratification` is the published algorithm, and spreads what `KFold` does not."""

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


def naive_folds(Y, n_splits, order):
    """Algorithm 1 of Sechidis et al. (2011), on dense arrays; ties go to what comes first."""
    n_samples = len(Y)
    if order == 2:
        pairs = [Y[:, i] * Y[:, j] for i, j in combinations(range(Y.shape[1]), 2)]
        pairs = [pair for pair in pairs if pair.any()]
        Y = np.column_stack([Y, *pairs])
    Y = Y[:, Y.sum(axis=0) > 1]
    folds = np.full(n_samples, -1)
    room = np.full(n_samples, n_samples / n_splits)[:n_splits]
    lacks = np.tile(Y.sum(axis=0) / n_splits, (n_splits, 1))
    while (folds < 0).any():
        left = Y[folds < 0].sum(axis=0)
        if not left.any():
            rows = np.flatnonzero(folds < 0)
            wanted = np.zeros(n_splits)
        else:
            label = min(np.flatnonzero(left), key=lambda j: left[j])
            rows = np.flatnonzero((folds < 0) & (Y[:, label] > 0))
            wanted = lacks[:, label]
        for row in rows:
            fold = max(range(n_splits), key=lambda j: (wanted[j], room[j], -j))
            folds[row] = fold
            lacks[fold] -= Y[row]
            room[fold] -= 1
    return folds


def folds_of(splitter, Y):
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
def test_it_is_the_published_algorithm(n_samples, n_labels, n_splits, seed, order):
    Y = np.random.default_rng(seed).random((n_samples, n_labels)) < 0.3
    expected = naive_folds(Y.astype(int), n_splits, order)
    for given_as in (Y.astype(int), sp.csc_array(Y), sp.coo_matrix(Y)):
        if sp.issparse(given_as) or n_labels > 1:
            splitter = IterativeStratification(n_splits, order=order)
            np.testing.assert_array_equal(folds_of(splitter, given_as), expected)


def unevenness(Y, folds):
    """Mean distance of the part of a label in a fold from an even one, labels of 2 rows up."""
    membership = sp.csr_array((np.ones(len(folds)), (folds, np.arange(len(folds)))))
    counts = (membership @ sp.csr_array(Y)).toarray()
    total = counts.sum(axis=0)
    return np.abs(counts[:, total > 1] / total[total > 1] - 1 / len(counts)).mean()


@pytest.fixture(scope="module")
def long_tail():
    return make_extreme_multilabel(
        n_samples=3000, n_features=300, n_labels=1500, n_features_per_sample=8, random_state=0
    )


def test_labels_are_spread_and_folds_are_of_a_size(long_tail):
    _, Y = long_tail
    in_turn = folds_of(KFold(5, shuffle=True, random_state=0), Y)
    spread = unevenness(Y, in_turn)
    for splitter in (
        IterativeStratification(),
        IterativeStratification(shuffle=True, random_state=0),
        IterativeStratification(order=2),
    ):
        folds = folds_of(splitter, Y)
        assert unevenness(Y, folds) < 0.85 * spread
        sizes = np.bincount(folds)
        assert np.ptp(sizes) < 0.05 * sizes.mean()
        # Labels of two rows up that some training part has no row of.
        counts = np.array([np.asarray(Y[folds == j].sum(axis=0)).ravel() for j in range(5)])
        lost = np.sum((counts.sum(axis=0) > 1) & (counts.max(axis=0) == counts.sum(axis=0)))
        assert lost <= 2
    counts = np.array([np.asarray(Y[in_turn == j].sum(axis=0)).ravel() for j in range(5)])
    assert np.sum((counts.sum(axis=0) > 1) & (counts.max(axis=0) == counts.sum(axis=0))) > 20


def test_the_second_order_spreads_pairs():
    rng = np.random.default_rng(0)
    Y = (rng.random((2000, 12)) < 0.2).astype(int)
    pairs = np.column_stack([Y[:, i] * Y[:, j] for i, j in combinations(range(12), 2)])
    first = folds_of(IterativeStratification(order=1), Y)
    second = folds_of(IterativeStratification(order=2), Y)
    assert unevenness(pairs, second) < 0.5 * unevenness(pairs, first)
    assert unevenness(Y, second) < 0.01


def test_classes_are_labels_of_one_a_row():
    y = np.repeat(["a", "b", "c"], [50, 7, 3])
    folds = folds_of(IterativeStratification(3), y)
    for name in "abc":
        assert np.ptp(np.bincount(folds[y == name], minlength=3)) <= 1
    np.testing.assert_array_equal(np.bincount(folds), [20, 20, 20])


def test_the_shuffle_and_its_seed(long_tail):
    _, Y = long_tail
    seeded = IterativeStratification(shuffle=True, random_state=0)
    first = folds_of(seeded, Y)
    np.testing.assert_array_equal(folds_of(seeded, Y), first)
    assert np.any(folds_of(IterativeStratification(shuffle=True, random_state=1), Y) != first)
    instance = IterativeStratification(shuffle=True, random_state=np.random.RandomState(0))
    assert np.any(folds_of(instance, Y) != folds_of(instance, Y))
    plain = IterativeStratification()
    np.testing.assert_array_equal(folds_of(plain, Y), folds_of(plain, Y))
    assert (
        repr(seeded) == "IterativeStratification(n_splits=5, order=1, random_state=0, shuffle=True)"
    )


def test_wherever_a_splitter_goes(long_tail):
    X, Y = long_tail
    splitter = IterativeStratification(2)
    assert check_cv(splitter) is splitter
    model = XRLinearClassifier(random_state=0)
    scorer = topk_scorer("recall", k=5)
    search = GridSearchCV(model, {"beam_width": [10]}, scoring=scorer, cv=splitter).fit(X, Y)
    scores = cross_val_score(model, X, Y, scoring=scorer, cv=splitter)
    assert search.best_score_ == scores.mean()


def test_rows_without_labels_fill_the_folds_up():
    Y = sp.csr_array((11, 3), dtype=int)
    np.testing.assert_array_equal(np.bincount(folds_of(IterativeStratification(3), Y)), [4, 4, 3])
    Y = sp.csr_array(np.eye(12, 3, dtype=int).repeat(2, axis=0))
    folds = folds_of(IterativeStratification(2), Y)
    np.testing.assert_array_equal(np.bincount(folds), [12, 12])
    np.testing.assert_array_equal(folds[0:6:2] + folds[1:6:2], [1, 1, 1])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_splits": 1}, "n_splits must be .* got 1"),
        ({"n_splits": 2.0}, "n_splits must be .* got 2.0"),
        ({"order": 3}, "order must be .* got 3"),
        ({"shuffle": "yes"}, "shuffle must be .* got 'yes'"),
        ({"random_state": 0}, "random_state=0 .* shuffle=True"),
        ({"shuffle": True, "random_state": "seed"}, "'seed' cannot be used to seed"),
    ],
)
def test_wrong_parameters_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        IterativeStratification(**wrong)


def test_wrong_targets_are_refused():
    splitter = IterativeStratification(4)
    X = np.ones((6, 2))
    for y, message in (
        (None, "y must be given"),
        (sp.csr_array(X * 2), "indicator of 0 and 1; got the value"),
        (sp.csr_array(X[:5]), "inconsistent"),
        (X * np.nan, "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            next(splitter.split(X, y))
    with pytest.raises(ValueError, match="n_splits=4 is more than the number of rows, 3"):
        next(splitter.split(X[:3], sp.csr_array(X[:3])))
