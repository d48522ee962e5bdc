"""The label spectrum, compared with a dense eigensolver and on graphs with known groups."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from skxmr import HierarchicalLabelTree
from skxmr.indexing import label_spectrum


def naive_spectrum(Y, n_components):
    """Return unit rows of V S for the regularized graph, by loops and a dense eigensolver."""
    n_labels = Y.shape[1]
    W = np.zeros((n_labels, n_labels))
    for row in Y:
        labels = np.flatnonzero(row)
        for a in labels:
            for b in labels:
                W[a, b] += 1.0 / len(labels)
    degrees = W.sum(axis=1)
    degrees = degrees + degrees[degrees > 0].mean()
    values, vectors = np.linalg.eigh(W / np.sqrt(np.outer(degrees, degrees)))
    Z = (vectors * values)[:, ::-1][:, :n_components]
    return Z / np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1e-12)


def planted(n_groups, group_size, seed=0, noise=0.0, per_label=20):
    """Return an indicator in which each row has 3 labels of one group.

    Each label is replaced by a random label with the probability `noise`. Groups have different
    numbers of rows, so that the eigenvalues differ. Label l belongs to group l % n_groups.
    """
    rng = np.random.default_rng(seed)
    n_labels = n_groups * group_size
    n_rows = (per_label * group_size * (1 + np.arange(n_groups) / n_groups)).astype(int)
    group = np.repeat(np.arange(n_groups), n_rows)
    labels = group[:, None] + n_groups * rng.integers(group_size, size=(len(group), 3))
    moved = rng.random(labels.shape) < noise
    labels[moved] = rng.integers(n_labels, size=moved.sum())
    Y = np.zeros((len(group), n_labels), dtype=np.int8)
    np.put_along_axis(Y, labels, 1, axis=1)
    return Y


# 8 components of 24 labels use the dense solver, 8 components of 96 labels the iterative solver.
@pytest.mark.parametrize("group_size", [3, 12])
def test_label_spectrum_equals_the_naive_spectrum(group_size):
    Y = planted(8, group_size, noise=0.1)
    Z = label_spectrum(sp.csr_array(Y), 8, random_state=0)
    wanted = naive_spectrum(Y, 8)
    assert Z.dtype == np.float32
    assert Z.flags.c_contiguous
    # The sign of each column is checked by the next test.
    signs = np.sign((Z * wanted).sum(axis=0))
    np.testing.assert_allclose(Z, wanted * signs, atol=2e-3)


def test_label_spectrum_has_fixed_signs_and_depends_little_on_the_seed():
    Y = sp.csr_array(planted(8, 12, noise=0.1))
    Z = label_spectrum(Y, 8, random_state=0)
    np.testing.assert_array_equal(Z, label_spectrum(Y, 8, random_state=0))
    np.testing.assert_allclose(Z, label_spectrum(Y, 8, random_state=1), atol=2e-3)


def test_label_spectrum_does_not_depend_on_the_order_of_rows():
    Y = planted(8, 12, noise=0.1)
    order = np.random.default_rng(1).permutation(len(Y))
    Z = label_spectrum(sp.csr_array(Y), 8, random_state=0)
    np.testing.assert_allclose(
        Z, label_spectrum(sp.csr_array(Y[order]), 8, random_state=0), atol=2e-3
    )


def test_label_spectrum_puts_labels_of_a_group_next_to_each_other():
    n_groups, group_size = 8, 12
    Y = planted(n_groups, group_size, noise=0.1)
    Z = label_spectrum(sp.csr_array(Y), n_groups, random_state=0)
    near = np.argsort(-(Z @ Z.T), axis=1, kind="stable")[:, :group_size]
    labels = np.arange(n_groups * group_size)
    assert np.mean(near % n_groups == labels[:, None] % n_groups) > 0.99


@pytest.mark.parametrize("n_components", [2, 8])
def test_label_spectrum_separates_disconnected_components(n_components):
    Y = planted(2, 40)
    Z = label_spectrum(sp.csr_array(Y), n_components, random_state=0)
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), 1.0, rtol=1e-5)
    assert np.abs(Z[0::2] @ Z[1::2].T).max() < 1e-3
    for seed in range(5):
        tree = HierarchicalLabelTree(2, 40, random_state=seed).fit_hierarchy(sp.csr_array(Z))
        assert len(set(tree.leaf_of_label[0::2])) == len(set(tree.leaf_of_label[1::2])) == 1


def test_label_spectrum_separates_groups_despite_many_small_components():
    # Without regularization, 300 isolated pairs would occupy the leading eigenvectors.
    pairs = np.repeat(np.kron(np.eye(300, dtype=np.int8), [[1, 1]]), 2, axis=0)
    Y = sp.block_diag([sp.csr_array(planted(4, 20)), sp.csr_array(pairs)], format="csr")
    Z = label_spectrum(Y, 8, random_state=0)[:80]
    near = np.argsort(-(Z @ Z.T), axis=1, kind="stable")[:, :20]
    assert np.all(near % 4 == np.arange(80)[:, None] % 4)


@pytest.mark.parametrize("n_labels", [1, 2, 5, 8, 9, 32, 33])
def test_label_spectrum_handles_few_labels_and_labels_without_rows(n_labels):
    Y = (np.random.default_rng(0).random((60, n_labels)) < 0.3).astype(np.int8)
    absent = [] if n_labels < 3 else [1, n_labels - 1]
    Y[:, absent] = 0
    Z = label_spectrum(sp.csr_array(Y), 8, random_state=0)
    assert Z.shape == (n_labels, min(8, n_labels))
    norms = np.linalg.norm(Z, axis=1)
    np.testing.assert_array_equal(np.flatnonzero(norms == 0), absent)
    np.testing.assert_allclose(norms[norms > 0], 1.0, rtol=1e-5)


@pytest.mark.parametrize("n_labels", [3, 100])
def test_label_spectrum_handles_fewer_rows_than_components(n_labels):
    Y = np.zeros((3, n_labels), dtype=np.int8)
    assert not label_spectrum(sp.csr_array(Y), 8).any()
    Y[0, :2] = Y[2, 2] = 1
    Z = label_spectrum(sp.csr_array(Y), 8, random_state=0)
    np.testing.assert_allclose(
        Z[:3] @ Z[:3].T, [[1, 1, 0], [1, 1, 0], [0, 0, 1]], rtol=1e-5, atol=1e-5
    )
    assert not Z[3:].any()


def test_label_spectrum_does_not_store_the_graph():
    # The graph has an entry for each pair of the 3,000 labels of a row: 9 million per row.
    rng = np.random.default_rng(0)
    n_labels = 20_000
    indices = np.concatenate([rng.choice(n_labels, 3000, replace=False) for _ in range(12)])
    Y = sp.csr_array(
        (np.ones(len(indices), dtype=np.int8), indices, np.arange(13) * 3000),
        shape=(12, n_labels),
    )
    tracemalloc.start()
    label_spectrum(Y, 4, random_state=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
