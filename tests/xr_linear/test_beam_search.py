"""Matching and ranking together: the beam search over the levels of a fitted tree."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from helpers.reference import all_scores, beam_search, dense_weights
from skxmr import LabelHierarchy, XRLinearClassifier
from skxmr._core.rows import as_rows
from skxmr._core.score_rule import Scoring
from skxmr._linear import LevelModel
from skxmr._linear.chunk import pack_features

PARAMS = [
    {"branching_factor": 2, "max_leaf_size": 4},
    {"branching_factor": 4, "max_leaf_size": 10},
    {"branching_factor": 16, "max_leaf_size": 100},
    {"max_leaf_size": 1000},
]


@pytest.fixture(scope="module", params=PARAMS, ids=str)
def model(request, xmc_data):
    return XRLinearClassifier(random_state=0, **request.param).fit(*xmc_data)


def same_ranking(got_labels, got_scores, wanted, rtol=2e-5):
    """Whether a ranking is the wanted one but for rounding and the ties that it makes."""
    wanted_scores = np.exp([score for _, score in wanted])
    here = got_labels >= 0
    np.testing.assert_allclose(got_scores[here], wanted_scores, rtol=rtol, atol=1e-30)
    scores = dict(wanted)
    for label, score in zip(got_labels[here], got_scores[here], strict=True):
        if label in scores:
            np.testing.assert_allclose(np.exp(scores[label]), score, rtol=rtol, atol=1e-30)
        else:
            np.testing.assert_allclose(wanted_scores[-1], score, rtol=rtol, atol=1e-30)


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("beam_width", [1, 3, 10, 1000])
def test_equals_a_naive_search(model, xmc_data, beam_width):
    X = xmc_data[0][:25]
    model.set_params(beam_width=beam_width)
    labels, scores = model.predict_topk(X, k=7)
    assert labels.shape == scores.shape == (25, 7)
    for row, x in enumerate(X.toarray()):
        wanted = beam_search(model, x, beam_width, keep=7)
        assert np.count_nonzero(labels[row] >= 0) == len(wanted)
        same_ranking(labels[row], scores[row], wanted)


def test_equals_exhaustive_scoring_when_the_beam_is_as_wide_as_the_tree(model, xmc_data):
    X = xmc_data[0][:10]
    model.set_params(beam_width=model.hierarchy_.n_leaves)
    P = model.predict_proba(X)
    assert P.nnz == 10 * 150
    for row, x in enumerate(X.toarray()):
        wanted = all_scores(model, x)
        np.testing.assert_allclose(
            P[[row]].toarray().ravel(),
            np.exp([wanted[label] for label in range(150)]),
            rtol=2e-5,
            atol=1e-30,
        )


def test_no_beam_finds_better_than_all_paths(model, xmc_data):
    # Between two beams no order is promised: a wider one may lose a path on the way.
    X = xmc_data[0]
    everything = model.set_params(beam_width=1000).predict_topk(X, k=1)[1]
    for width in (1, 2, 5):
        assert np.all(model.set_params(beam_width=width).predict_topk(X, k=1)[1] <= everything)


@pytest.mark.usefixtures("simd")
@pytest.mark.parametrize("beam_width", [1, 10])
def test_batch_equals_row_by_row_bit_for_bit(model, xmc_data, beam_width):
    X = xmc_data[0]
    model.set_params(beam_width=beam_width)
    labels, scores = model.predict_topk(X, k=9)
    for row in range(0, 600, 31):
        for one in (X[[row]], X[[row]].toarray(), X[[row]].astype(np.float64)):
            one_labels, one_scores = model.predict_topk(one, k=9)
            np.testing.assert_array_equal(one_labels, labels[[row]])
            np.testing.assert_array_equal(one_scores, scores[[row]])
    order = np.random.default_rng(0).permutation(600)
    np.testing.assert_array_equal(model.predict_topk(X[order], k=9)[0], labels[order])


def test_blocks_of_rows_change_nothing(model, xmc_data, monkeypatch):
    X = xmc_data[0]
    model.set_params(beam_width=5)
    whole = model.predict_topk(X), model.predict_proba(X)
    monkeypatch.setattr("skxmr._core.threads.BLOCK_ROWS", 37)
    parts = model.predict_topk(X), model.predict_proba(X)
    np.testing.assert_array_equal(parts[0], whole[0])
    assert (parts[1] != whole[1]).nnz == 0


L3_HINGE = Scoring().rule((False,)).transforms[0]
DENSITY = st.sampled_from([0.0, 0.02, 0.3, 0.9])


@st.composite
def random_level(draw):
    """A LevelModel of random chunks, some empty, and random rows and parents."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n_parents = draw(st.integers(1, 6))
    # Some features span many words of 64 and, at 5000, two entries of the summary.
    n_features = draw(st.sampled_from([1, 7, 40, 64, 65, 300, 5000]))
    most_children = draw(st.sampled_from([3, 16, 17, 40]))  # weights dense up to 16
    child_dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    child_indptr = np.concatenate(([0], np.cumsum(rng.integers(1, most_children + 1, n_parents))))
    features, counts, children, weights = [], [], [], []
    for parent in range(n_parents):
        width = child_indptr[parent + 1] - child_indptr[parent]
        W = rng.normal(size=(n_features, width)) * (rng.random((n_features, width)) < draw(DENSITY))
        used = np.flatnonzero(W.any(axis=1))
        features.append(used)
        for feature in used:
            kept = np.flatnonzero(W[feature])
            counts.append(len(kept))
            children.append(kept)
            weights.append(W[feature, kept])
    bitmaps = [pack_features(used.astype(np.int32), n_features) for used in features]
    summaries, words = zip(*bitmaps, strict=True)
    n_children = child_indptr[-1]
    level = LevelModel(
        {
            "child_indptr": child_indptr.astype(np.int64),
            "child_ids": rng.permutation(n_children).astype(np.int32),
            "intercepts": rng.normal(size=n_children).astype(np.float32),
            "summaries": np.stack(summaries),
            "words": np.concatenate([*words, np.zeros(1, dtype=np.uint64)]),
            "entry_counts": np.array(counts, dtype=child_dtype),
            "entry_children": np.concatenate([*children, []]).astype(child_dtype),
            "entry_weights": np.concatenate([*weights, []]).astype(np.float32),
        },
        n_features,
        1,
        0,
    )
    n_rows = draw(st.integers(0, 5))
    X = rng.normal(size=(n_rows, n_features)) * (rng.random((n_rows, n_features)) < draw(DENSITY))
    chosen = rng.random((n_rows, n_parents)) < 0.5
    return level, X.astype(np.float32), chosen, rng.normal(size=chosen.shape) - 2


@given(case=random_level(), keep=st.integers(0, 12), best_first=st.booleans())
def test_expand_scores_the_children_of_given_parents(case, keep, best_first):
    level, X, chosen, parent_scores = case
    parents = sp.csr_array(chosen)
    parents.sort_indices()
    scores = np.concatenate(
        [parent_scores[row, here] for row, here in enumerate(chosen)] or [[]]
    ).astype(np.float32)
    beam = (parents.indptr.astype(np.int64), parents.indices.astype(np.int32), scores)
    indptr, ids, values = level.expand(as_rows(X), beam, keep, L3_HINGE, best_first)
    W, intercepts = dense_weights(level)
    child_indptr, names = level.arrays["child_indptr"], level.arrays["child_ids"]
    assert indptr[0] == 0
    for row in range(len(X)):
        wanted = {}
        for at in range(parents.indptr[row], parents.indptr[row + 1]):
            parent = parents.indices[at]
            for child in range(child_indptr[parent], child_indptr[parent + 1]):
                margin = X[row] @ W[:, child] + intercepts[child]
                wanted[int(names[child])] = scores[at] - max(0.0, 1.0 - margin) ** 3
        here = slice(indptr[row], indptr[row + 1])
        best = sorted(wanted.values(), reverse=True)
        best = best[:keep] if keep else best
        np.testing.assert_allclose(np.sort(values[here])[::-1], best, rtol=1e-4, atol=1e-4)
        assert len(set(ids[here])) == len(best)
        got = [wanted[name] for name in ids[here]]
        np.testing.assert_allclose(values[here], got, rtol=1e-4, atol=1e-4)
        order = np.lexsort((ids[here], -values[here])) if best_first else np.argsort(ids[here])
        np.testing.assert_array_equal(order, np.arange(len(best)))
        one = level.expand_row(
            as_rows(X[[row]])[1:3],
            tuple(part[beam[0][row] : beam[0][row + 1]] for part in beam[1:]),
            keep,
            L3_HINGE,
            best_first,
        )
        np.testing.assert_array_equal(one[0], ids[here])
        np.testing.assert_array_equal(one[1], values[here])


def test_teacher_forcing_trains_each_cluster_on_its_own_rows(xmc_data):
    # A hierarchy of two clusters: the labels of one must not depend on rows of the other alone.
    X, Y = xmc_data
    tree = LabelHierarchy.from_parents([[0, 0], np.arange(150) % 2])
    # Without a norm: that would weigh a row's labels of both clusters together.
    plain = {"relevance_norm": None, "random_state": 0}
    model = XRLinearClassifier(label_tree=tree, **plain).fit(X, Y)
    rows = np.flatnonzero(np.asarray(Y[:, 0::2].sum(axis=1)).ravel())
    alone = XRLinearClassifier(max_leaf_size=100, tol=1e-4, max_iter=3000, **plain)
    alone.fit(X[rows], Y[rows][:, 0::2])
    model.set_params(tol=1e-4, max_iter=3000).fit(X, Y)
    W, b = dense_weights(model._model.ranker.level)
    V, c = dense_weights(alone._model.ranker.level)
    # Weights near the threshold may be cut on one side only.
    differ = np.abs(W[:, :75] - V)
    assert np.all((differ < 1e-2) | (np.abs(W[:, :75] + V) < 0.11))
    np.testing.assert_allclose(b[:75], c, atol=1e-2)
