"""What a score is: transforms, their combination, rare labels, exact search, candidates."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit

from helpers import quick
from helpers.reference import all_scores, beam_search
from skxmr import XRLinearClassifier
from skxmr._core.rows import as_rows
from skxmr._core.score_rule import TRANSFORMS, Scoring
from skxmr.metrics import label_propensities

ROWS = 12
TRANSFORM_CHOICES = [
    "l3-hinge",
    "log-sigmoid",
    "identity",
    ("l3-hinge", "identity"),
    ["sigmoid", "l1-hinge", "l4-hinge"],
    *(name for name in TRANSFORMS if name not in ("l3-hinge", "log-sigmoid", "identity")),
    ("identity", "l2-hinge"),
    ("l1-hinge",) * 9 + ("sigmoid",),
]


@pytest.fixture(scope="module")
def fitted(xmc_data):
    return XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)


@pytest.fixture(params=quick.first(5, TRANSFORM_CHOICES), ids=str)
def model(request, fitted):
    yield fitted.set_params(score_transform=request.param)
    reset(fitted)


def reset(model):
    model.set_params(score_transform="l3-hinge", propensity_weight=0.0, beam_width=10)


def forms(model):
    """How the naive scores are shown by predict_topk and by predict_proba."""
    names = model.score_transform
    names = [names] if isinstance(names, str) else list(names)
    n_levels = len(model._model.levels)
    names = ([names[0]] * n_levels + names)[-n_levels:]
    if "identity" in names:
        return np.asarray, expit
    return (np.asarray if names[0].startswith("log-") else np.exp), np.exp


def same_ranking(labels, scores, wanted, shown):
    values = shown(np.array([score for _, score in wanted]))
    tolerance = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(scores, values, **tolerance)
    by_label = dict(wanted)
    for label, score in zip(labels, scores, strict=True):
        # A label that the naive search does not have ties with its last one.
        np.testing.assert_allclose(
            shown(by_label[label]) if label in by_label else values[-1], score, **tolerance
        )


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("beam_width", [3, None])
def test_equals_a_naive_search(model, xmc_data, beam_width):
    X = xmc_data[0][:ROWS]
    model.set_params(beam_width=beam_width)
    labels, scores = model.predict_topk(X, k=7)
    shown, _ = forms(model)
    for row, x in enumerate(X.toarray()):
        wanted = beam_search(model, x, beam_width, keep=7)
        assert np.count_nonzero(labels[row] >= 0) == len(wanted)
        same_ranking(labels[row], scores[row], wanted, shown)


def test_probabilities_lie_above_0_and_up_to_1_and_keep_the_order(model, xmc_data):
    X = xmc_data[0]
    P = model.set_params(beam_width=10).predict_proba(X)
    assert P.has_sorted_indices
    assert np.all((P.data > 0) & (P.data <= 1))
    labels, scores = model.predict_topk(X, k=7)
    ranked = np.take_along_axis(P.toarray(), labels, 1)
    assert np.all(np.diff(ranked, axis=1) <= 0)
    assert np.all(np.diff(scores, axis=1) <= 0)
    np.testing.assert_array_equal(ranked[:, 0], P.max(axis=1).toarray().ravel())
    np.testing.assert_array_equal(model.predict(X).toarray() > 0, P.toarray() >= 0.5)
    assert (model.decision_function(X) != P).nnz == 0
    _, proba = forms(model)
    for row, x in enumerate(X[:3].toarray()):
        wanted = dict(beam_search(model, x, 10))
        got = P[[row]]
        common = [(w, v) for w, v in zip(got.indices, got.data, strict=True) if w in wanted]
        assert len(common) > 0.9 * got.nnz
        names, values = zip(*common, strict=True)
        naive = proba(np.array([wanted[name] for name in names]))
        np.testing.assert_allclose(values, naive, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("beam_width", [4, None])
def test_batch_equals_row_by_row_bit_for_bit(model, xmc_data, beam_width):
    X = xmc_data[0][:100]
    model.set_params(beam_width=beam_width)
    labels, scores = model.predict_topk(X, k=9)
    for row in range(0, 100, 33):
        for one in (X[[row]], X[[row]].toarray()):
            one_labels, one_scores = model.predict_topk(one, k=9)
            np.testing.assert_array_equal(one_labels, labels[[row]])
            np.testing.assert_array_equal(one_scores, scores[[row]])


def test_labels_without_a_row_never_win(model, xmc_data):
    X, Y = xmc_data
    empty = np.flatnonzero(np.asarray(Y.sum(axis=0)).ravel() == 0)
    for weight in (0.0, 3.0, 1e4):
        model.set_params(propensity_weight=weight)
        labels, _ = model.predict_topk(X, k=1)
        model.set_params(propensity_weight=0.0)
        assert not np.isin(labels, empty).any()


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if f"log-{name}" in TRANSFORMS])
def test_log_forms_show_logarithms_of_the_same_scores(fitted, xmc_data, name):
    X = xmc_data[0]
    labels, scores = fitted.set_params(score_transform=name).predict_topk(X)
    P = fitted.predict_proba(X)
    log_labels, logs = fitted.set_params(score_transform=f"log-{name}").predict_topk(X)
    assert (fitted.predict_proba(X) != P).nnz == 0
    reset(fitted)
    np.testing.assert_array_equal(log_labels, labels)
    assert np.all(logs <= 0)
    np.testing.assert_array_equal(np.maximum(np.exp(logs), np.finfo(np.float32).tiny), scores)


def test_dense_results(model, xmc_data):
    X, Y = xmc_data
    transform = model.score_transform
    dense = XRLinearClassifier(4, 10, random_state=0, score_transform=transform).fit(X, Y.toarray())
    P, sparse = dense.predict_proba(X), model.set_params(beam_width=10).predict_proba(X).toarray()
    assert np.all((P > 0) & (P < 1))
    np.testing.assert_allclose(P, sparse, atol=1e-6)
    D = dense.decision_function(X)
    assert np.all(np.isfinite(D))
    clear = np.abs(P - 0.5) > 1e-6
    np.testing.assert_array_equal((D > 0)[clear], (P > 0.5)[clear])
    assert D[sparse == 0].max() < D[sparse > 0].min()
    inside = (P > 1e-30) & (P < 0.99)
    np.testing.assert_allclose(expit(D[inside]), P[inside], rtol=1e-4, atol=1e-7)


def test_classes(model, xmc_data):
    X = xmc_data[0]
    y = np.arange(600) % 7
    transform = model.score_transform
    classes = XRLinearClassifier(2, 2, random_state=0, score_transform=transform).fit(X, y)
    P = classes.predict_proba(X)
    np.testing.assert_allclose(P.sum(axis=1), 1.0, rtol=1e-5)
    chosen = classes.predict(X)
    assert np.all(P[np.arange(600), chosen] >= P.max(axis=1) * (1 - 1e-6))
    assert np.mean(chosen == classes.predict_topk(X, k=1)[0].ravel()) == 1


def test_no_beam_is_a_beam_as_wide_as_the_tree(model, xmc_data):
    X = xmc_data[0]
    P = model.set_params(beam_width=None).predict_proba(X)
    assert P.nnz == 600 * 150
    assert (model.set_params(beam_width=model.hierarchy_.n_leaves).predict_proba(X) != P).nnz == 0


def test_blocks_of_an_exact_search_are_small(fitted, xmc_data, monkeypatch):
    X = xmc_data[0]
    whole = fitted.set_params(beam_width=None).predict_topk(X, k=2)
    sizes = []
    rank = fitted._model.rank

    def spy(X, *args):
        sizes.append(X.n_rows)
        return rank(X, *args)

    monkeypatch.setattr(fitted._model, "rank", spy)
    monkeypatch.setattr("skxmr._core.threads.BLOCK_SCORES", 500)
    parts = fitted.predict_topk(X, k=2)
    reset(fitted)
    # Each row of the search holds a score for every leaf, though two labels are wanted.
    assert max(sizes) * fitted.hierarchy_.n_leaves <= 500
    np.testing.assert_array_equal(parts[0], whole[0])


def a_few_labels(rng, n_rows, n_labels=150):
    pattern = sp.random_array((n_rows, n_labels), density=0.05, format="csr", rng=rng)
    keep = np.ones(n_rows)
    keep[::5] = 0
    pattern = sp.csr_array(sp.diags_array(keep) @ pattern)
    pattern.eliminate_zeros()
    return pattern


@pytest.mark.usefixtures("simd")
def test_candidates_score_as_in_an_exact_search(model, xmc_data):
    X = xmc_data[0]
    everything = model.set_params(beam_width=None).predict_proba(X).toarray()
    model.set_params(beam_width=2)  # makes no difference
    candidates = a_few_labels(np.random.default_rng(0), 600)
    S = model.score_candidates(X, candidates)
    assert S.format == "csr"
    assert S.dtype == np.float32
    candidates.sort_indices()
    np.testing.assert_array_equal(S.indptr, candidates.indptr)
    np.testing.assert_array_equal(S.indices, candidates.indices)
    rows = np.repeat(np.arange(600), np.diff(S.indptr))
    np.testing.assert_array_equal(S.data, everything[rows, S.indices])


def test_candidates_in_any_form(fitted, xmc_data, monkeypatch):
    X = xmc_data[0]
    candidates = a_few_labels(np.random.default_rng(1), 600)
    wanted = fitted.score_candidates(X, candidates)
    for container in (sp.csr_matrix, sp.csc_array, sp.coo_matrix, sp.lil_array):
        assert (fitted.score_candidates(X, container(candidates)) != wanted).nnz == 0
    assert (fitted.score_candidates(X, candidates.toarray()) != wanted).nnz == 0
    assert (fitted.score_candidates(X, candidates.toarray() > 0) != wanted).nnz == 0
    zeros = candidates.copy()
    zeros.data[:] = 0
    assert (fitted.score_candidates(X, zeros) != wanted).nnz == 0
    double = sp.coo_array(candidates)
    coords = [np.concatenate([part, part[::-1]]) for part in double.coords]
    double = sp.coo_array((np.ones(len(coords[0])), coords), shape=candidates.shape)
    assert (fitted.score_candidates(X, double) != wanted).nnz == 0
    monkeypatch.setattr("skxmr._core.threads.BLOCK_ROWS", 37)
    fitted.set_params(n_jobs=2)
    assert (fitted.score_candidates(X, candidates) != wanted).nnz == 0
    fitted.set_params(n_jobs=None)
    nothing = fitted.score_candidates(X, sp.csr_array(candidates.shape))
    assert nothing.shape == (600, 150)
    assert nothing.nnz == 0
    np.testing.assert_array_equal(
        fitted.score_candidates(X[[4]], candidates[[4]]).toarray(), wanted[[4]].toarray()
    )


def test_candidates_of_a_tree_of_one_leaf_and_of_classes(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(max_leaf_size=1000, random_state=0).fit(X, Y)
    candidates = a_few_labels(np.random.default_rng(2), 600)
    S = model.score_candidates(X, candidates)
    full = model.predict_proba(X).toarray()
    np.testing.assert_array_equal(S.toarray(), np.where(S.toarray() > 0, full, 0))
    classes = XRLinearClassifier(random_state=0).fit(X, np.arange(600) % 3)
    S = classes.score_candidates(X, np.ones((600, 3))).toarray()
    np.testing.assert_allclose(
        S / S.sum(axis=1, keepdims=True), classes.predict_proba(X), rtol=1e-5
    )


@pytest.mark.parametrize("transform", ["l3-hinge", "sigmoid", ("l3-hinge", "identity")])
def test_propensity_weight_acts_before_the_ranking_is_cut(fitted, xmc_data, transform):
    X, Y = xmc_data
    fitted.set_params(score_transform=transform)
    propensities = label_propensities(Y)
    seen = Y.getnnz(axis=0) > 0
    shown, proba = forms(fitted)
    chosen = []
    for weight in (0.0, 0.5, 2.0):
        offsets = weight * np.log(propensities[seen].min() / propensities)
        offsets[~seen] = offsets[seen].min()
        fitted.set_params(propensity_weight=weight, beam_width=5)
        labels, scores = fitted.predict_topk(X[:ROWS], k=4)
        for row, x in enumerate(X[:ROWS].toarray()):
            wanted = beam_search(fitted, x, 5, keep=4, offsets=offsets)
            same_ranking(labels[row], scores[row], wanted, shown)
        P = fitted.predict_proba(X)
        assert np.all((P.data > 0) & (P.data <= 1))
        one = fitted.predict_topk(X[[2]], k=4)
        np.testing.assert_array_equal(one[1], scores[[2]])
        candidates = a_few_labels(np.random.default_rng(3), 600)
        S = fitted.score_candidates(X, candidates)[:3].toarray()
        for row, x in enumerate(X[:3].toarray()):
            naive = all_scores(fitted, x, offsets)
            here = np.flatnonzero(S[row])
            values = proba(np.array([naive[label] for label in here]))
            np.testing.assert_allclose(S[row, here], values, rtol=1e-4, atol=1e-6)
        chosen.append(propensities[fitted.predict_topk(X, k=1)[0]].mean())
    reset(fitted)
    assert chosen[0] > chosen[1] > chosen[2]


def test_the_rarest_label_keeps_its_score(fitted, xmc_data):
    X, Y = xmc_data
    counts = Y.getnnz(axis=0)
    before = fitted.predict_proba(X).toarray()
    after = fitted.set_params(propensity_weight=1.0).predict_proba(X).toarray()
    reset(fitted)
    rarest = counts == counts[counts > 0].min()
    np.testing.assert_array_equal(after[:, rarest], before[:, rarest])
    assert np.all(after <= before)
    frequent = counts == counts.max()
    assert np.all(after[:, frequent] <= before[:, frequent])
    assert np.any(after[:, frequent] < before[:, frequent])


@pytest.fixture(scope="module")
def forest(xmc_data):
    return XRLinearClassifier(4, 10, n_trees=2, random_state=0).fit(*xmc_data)


@pytest.mark.parametrize("transform", ["log-l3-hinge", ("l3-hinge", "identity"), "sigmoid"])
def test_ensemble_averages_probabilities(forest, xmc_data, transform):
    X = xmc_data[0][:ROWS]
    forest.set_params(score_transform=transform, beam_width=None)
    labels, scores = forest.predict_topk(X, k=5)
    P = forest.predict_proba(X).toarray()
    candidates = a_few_labels(np.random.default_rng(4), ROWS)
    S = forest.score_candidates(X, candidates).toarray()
    scoring = Scoring((transform,) if isinstance(transform, str) else transform)
    votes = []
    for tree in forest._model.models:
        indptr, ids, values = tree.rank(as_rows(X), None, scoring)
        values = tree.score_form(scoring).probabilities(values)
        votes.append(sp.csr_array((values, ids, indptr), shape=(ROWS, 150)).toarray())
    mean = np.mean(votes, axis=0)
    chosen = np.take_along_axis(mean, labels, 1)
    # Only a tree's 100 best of the 150 labels have its vote.
    np.testing.assert_allclose(-np.sort(-mean, axis=1)[:, :5], chosen, rtol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(P, labels, 1), chosen, rtol=1e-5)
    shown = np.log(chosen) if forest.get_params()["score_transform"] == "log-l3-hinge" else chosen
    np.testing.assert_allclose(scores, shown, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(S > 0, candidates.toarray() > 0)
    np.testing.assert_allclose(S[S > 0], mean[S > 0], rtol=1e-5)


def test_all_trees_are_pruned(xmc_data):
    model = XRLinearClassifier(4, 10, n_trees=2, random_state=0).fit(*xmc_data)
    twin = XRLinearClassifier(4, 10, n_trees=2, weight_threshold=0.4, random_state=0).fit(*xmc_data)
    model.prune(weight_threshold=0.4)
    for got, want in zip(
        model.predict_topk(xmc_data[0]), twin.predict_topk(xmc_data[0]), strict=True
    ):
        np.testing.assert_array_equal(got, want)


def test_the_beam_in_training_goes_by_the_score(xmc_data):
    # Matcher-aware negatives are what this beam passes: exact, it passes every row.
    X, Y = xmc_data
    fits = [
        XRLinearClassifier(4, 10, negatives="man", random_state=0, **params).fit(X, Y)
        for params in ({"beam_width": None}, {"beam_width": 1000}, {"beam_width": 2})
    ]
    whole, wide, narrow = [fit._model.ranker.level.arrays["intercepts"] for fit in fits]
    np.testing.assert_array_equal(whole, wide)
    assert not np.array_equal(whole, narrow)
