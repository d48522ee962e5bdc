"""ClusterHeads: beam search, compared with the scores of all clusters."""

import numpy as np
import pytest
import scipy.sparse as sp

from skxmr import LabelHierarchy, XRLinearClassifier
from skxmr.transformer._cluster_heads import (
    LINEAR_PARAMETERS,
    SCORE_TRANSFORMS,
    ClusterHeads,
    fit_cluster_heads,
    flat_hierarchy,
    upper_levels,
)

rng = np.random.default_rng(0)
HIERARCHY = LabelHierarchy.from_parents(
    [[0, 0, 0], [0, 1, 1, 2, 2, 2, 0], rng.permutation(np.arange(40) % 7)]
)
E = rng.standard_normal((50, 12)).astype(np.float32)
E /= np.linalg.norm(E, axis=1, keepdims=True)


def random_heads(loss, hierarchy=HIERARCHY):
    rng = np.random.default_rng(1)
    sizes = hierarchy.level_sizes
    # Margins are between -3 and 1. Above 1 all scores are 1, and the beam would have ties.
    weights = [rng.uniform(-0.5, 0.5, (size, 12)).astype(np.float32) for size in sizes]
    intercepts = [rng.uniform(-1.5, -0.5, size).astype(np.float32) for size in sizes]
    return ClusterHeads(weights, intercepts, hierarchy, loss)


def path_scores(heads):
    """Return the scores of all nodes, by level, and of all clusters, in float64."""
    transform = {
        "squared_hinge": lambda m: np.exp(-(np.maximum(0, 1 - m) ** 3)),
        "log_loss": lambda m: 1 / (1 + np.exp(-m)),
    }[heads.loss]
    above = np.ones((len(E), 1))
    scores = []
    for weights, bias, indptr in zip(
        heads.weights, heads.intercepts, heads.hierarchy.child_indptrs, strict=True
    ):
        own_scores = transform(E.astype(float) @ weights.T + bias)
        above = own_scores * np.repeat(above, np.diff(indptr), axis=1)
        scores.append(above)
    by_label = np.empty_like(scores[-1])
    by_label[:, heads.hierarchy.label_order] = scores[-1]
    return scores, by_label


@pytest.mark.parametrize("loss", ["squared_hinge", "log_loss"])
def test_predict_proba_without_beam_scores_all_clusters(loss):
    heads = random_heads(loss)
    P = heads.predict_proba(E, None)
    assert P.shape == (50, 40)
    assert P.nnz == 50 * 40
    assert P.dtype == np.float32
    np.testing.assert_allclose(P.toarray(), path_scores(heads)[1], rtol=1e-3, atol=1e-6)
    assert P.data.min() > 0
    assert P.data.max() <= 1


@pytest.mark.parametrize("loss", ["squared_hinge", "log_loss"])
@pytest.mark.parametrize("beam_width", [1, 2, 5])
def test_predict_proba_keeps_best_children_of_best_nodes(loss, beam_width):
    heads = random_heads(loss)
    levels, by_label = path_scores(heads)
    P = heads.predict_proba(E, beam_width)
    assert P.has_sorted_indices
    parents = [p.copy() for p in HIERARCHY.to_parents()]
    for row in range(len(E)):
        kept = np.array([0])
        for level in range(3):
            inside = np.flatnonzero(np.isin(parents[level], kept))
            scores = by_label[row] if level == 2 else levels[level][row]
            kept = inside[np.argsort(-scores[inside], kind="stable")][:beam_width]
        np.testing.assert_array_equal(P[[row]].indices, np.sort(kept))
        np.testing.assert_allclose(P[[row]].data, by_label[row, np.sort(kept)], rtol=1e-3)


def test_predict_proba_does_not_depend_on_block_of_rows(monkeypatch):
    heads = random_heads("squared_hinge")
    one_block = heads.predict_proba(E, 3)
    monkeypatch.setattr("skxmr.transformer._cluster_heads.BLOCK_SCORES", 200)
    blocks = heads.predict_proba(E, 3)
    np.testing.assert_array_equal(one_block.indices, blocks.indices)
    np.testing.assert_allclose(one_block.data, blocks.data, rtol=1e-5)
    single = heads.predict_proba(E[7:8], 3)
    np.testing.assert_array_equal(single.indices, one_block[[7]].indices)
    assert heads.predict_proba(E[:0], 3).shape == (0, 40)


@pytest.mark.parametrize("loss", ["squared_hinge", "log_loss"])
@pytest.mark.parametrize("hierarchy", [HIERARCHY, flat_hierarchy(40)])
def test_fit_cluster_heads_scores_as_linear_classifier(loss, hierarchy):
    rng = np.random.default_rng(2)
    M = sp.csr_array(rng.random((50, 40)) < 0.06)
    M = M.multiply(np.arange(40) != 5).tocsr()  # a cluster without a row
    heads = fit_cluster_heads(E, M, hierarchy, loss, 0)
    transform = SCORE_TRANSFORMS[loss]
    linear = XRLinearClassifier(
        label_tree=hierarchy, loss=loss, score_transform=transform, beam_width=None,
        sparse_output=True, random_state=0, **LINEAR_PARAMETERS[loss],
    )  # fmt: skip
    scores = linear.fit(sp.csr_array(E), M).predict_proba(sp.csr_array(E)).toarray()
    np.testing.assert_allclose(heads.predict_proba(E, None).toarray(), scores, atol=1e-5)
    assert np.all(scores[:, 5] < 1e-6)


def test_upper_levels_returns_first_levels_of_tree():
    cut = upper_levels(HIERARCHY, 2)
    assert cut.level_sizes == HIERARCHY.level_sizes[:2]
    np.testing.assert_array_equal(cut.label_order, np.arange(7))
    assert upper_levels(HIERARCHY, 3).level_sizes == HIERARCHY.level_sizes


@pytest.mark.parametrize("loss", ["squared_hinge", "log_loss"])
def test_heads_do_not_depend_on_the_scale_of_the_embeddings(loss, xmc_data):
    embeddings = np.random.default_rng(0).normal(size=(600, 8))
    M = sp.csr_array(xmc_data[1])[:, :20]
    heads, scaled = (
        fit_cluster_heads(c * embeddings, M, flat_hierarchy(20), loss, seed=0) for c in (1, 50)
    )
    np.testing.assert_allclose(50 * scaled.weights[0], heads.weights[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scaled.intercepts[0], heads.intercepts[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["squared_hinge", "log_loss"])
def test_an_only_child_has_the_score_of_its_parent(loss):
    chained = LabelHierarchy([[0, 1], [0, 2], [0, 3, 4], [0, 1, 2, 3, 5]], np.arange(5))
    heads = random_heads(loss, chained)
    P = heads.predict_proba(E, None).toarray()
    plain = LabelHierarchy([[0, 2], [0, 3, 5]], np.arange(5))
    weights = [heads.weights[1], np.vstack([heads.weights[2][:3], heads.weights[3][3:]])]
    intercepts = [heads.intercepts[1], np.append(heads.intercepts[2][:3], heads.intercepts[3][3:])]
    expected = ClusterHeads(weights, intercepts, plain, loss).predict_proba(E, None)
    np.testing.assert_allclose(P, expected.toarray(), rtol=1e-5)
