"""Beam search over dense heads, against scores of every cluster."""

import numpy as np
import pytest
import scipy.sparse as sp

from skxmr import LabelHierarchy, XRLinearClassifier
from skxmr.transformer._heads import ClusterHeads
from skxmr.transformer._linear_heads import SETTINGS, fit_linear_heads, flat_hierarchy, upper_levels

rng = np.random.default_rng(0)
HIERARCHY = LabelHierarchy.from_parents(
    [[0, 0, 0], [0, 1, 1, 2, 2, 2, 0], rng.permutation(np.arange(40) % 7)]
)
E = rng.standard_normal((50, 12)).astype(np.float32)
E /= np.linalg.norm(E, axis=1, keepdims=True)


def random_heads(loss, hierarchy=HIERARCHY):
    rng = np.random.default_rng(1)
    sizes = hierarchy.level_sizes
    # Margins between -3 and 1: above 1 all count the same, and the beam may choose.
    weights = [rng.uniform(-0.5, 0.5, (size, 12)).astype(np.float32) for size in sizes]
    intercepts = [rng.uniform(-1.5, -0.5, size).astype(np.float32) for size in sizes]
    return ClusterHeads(weights, intercepts, hierarchy, loss)


def path_scores(heads):
    """Score of every node of every level, in float64: the product along its path."""
    counted = {
        "squared_hinge": lambda m: np.exp(-(np.maximum(0, 1 - m) ** 3)),
        "log_loss": lambda m: 1 / (1 + np.exp(-m)),
    }[heads.loss]
    above = np.ones((len(E), 1))
    scores = []
    for weights, bias, indptr in zip(
        heads.weights, heads.intercepts, heads.hierarchy.child_indptrs, strict=True
    ):
        own = counted(E.astype(float) @ weights.T + bias)
        above = own * np.repeat(above, np.diff(indptr), axis=1)
        scores.append(above)
    by_label = np.empty_like(scores[-1])
    by_label[:, heads.hierarchy.label_order] = scores[-1]
    return scores, by_label


@pytest.mark.parametrize("loss", ["squared_hinge", "log_loss"])
def test_all_clusters_without_a_beam(loss):
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
def test_the_beam_has_the_best_children_of_the_best_nodes(loss, beam_width):
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


def test_rows_do_not_depend_on_the_rows_beside_them(monkeypatch):
    heads = random_heads("squared_hinge")
    whole = heads.predict_proba(E, 3)
    monkeypatch.setattr("skxmr.transformer._heads.BLOCK_SCORES", 200)
    blocks = heads.predict_proba(E, 3)
    np.testing.assert_array_equal(whole.indices, blocks.indices)
    np.testing.assert_allclose(whole.data, blocks.data, rtol=1e-5)
    single = heads.predict_proba(E[7:8], 3)
    np.testing.assert_array_equal(single.indices, whole[[7]].indices)
    assert heads.predict_proba(E[:0], 3).shape == (0, 40)


@pytest.mark.parametrize("loss", ["squared_hinge", "log_loss"])
@pytest.mark.parametrize("hierarchy", [HIERARCHY, flat_hierarchy(40)])
def test_linear_heads_score_as_the_linear_classifier(loss, hierarchy):
    rng = np.random.default_rng(2)
    M = sp.csr_array(rng.random((50, 40)) < 0.06)
    M = M.multiply(np.arange(40) != 5).tocsr()  # a cluster without a row
    heads = fit_linear_heads(E, M, hierarchy, loss, 0)
    transform = {"squared_hinge": "l3-hinge", "log_loss": "sigmoid"}[loss]
    linear = XRLinearClassifier(
        label_tree=hierarchy, loss=loss, score_transform=transform, beam_width=None,
        sparse_output=True, random_state=0, **SETTINGS[loss],
    )  # fmt: skip
    scores = linear.fit(sp.csr_array(E), M).predict_proba(sp.csr_array(E)).toarray()
    np.testing.assert_allclose(heads.predict_proba(E, None).toarray(), scores, atol=1e-5)
    assert np.all(scores[:, 5] < 1e-6)


def test_upper_levels_are_the_tree_cut_off():
    cut = upper_levels(HIERARCHY, 2)
    assert cut.level_sizes == HIERARCHY.level_sizes[:2]
    np.testing.assert_array_equal(cut.label_order, np.arange(7))
    assert upper_levels(HIERARCHY, 3).level_sizes == HIERARCHY.level_sizes
