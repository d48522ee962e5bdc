"""Candidates of a batch, against a loop over rows and nodes."""

import numpy as np
import scipy.sparse as sp

from skxmr.transformer._candidates import LevelCandidates, join_parents


def test_children_of_the_beam_and_of_what_is_right():
    rng = np.random.default_rng(0)
    child_indptr = np.array([0, 3, 4, 9, 11], dtype=np.int64)
    parent_of = np.repeat(np.arange(4), np.diff(child_indptr))
    right = rng.random((20, 11)) < 0.1
    right_parents = np.zeros((20, 4), dtype=bool)
    for node, parent in enumerate(parent_of):
        right_parents[:, parent] |= right[:, node]
    beam = rng.random((20, 4)) < 0.4
    beam[3] = right_parents[3] = right[3] = False  # a row without any candidate
    B = sp.csr_array(beam)
    indptr, parents = join_parents((B.indptr, B.indices), sp.csr_array(right_parents))
    candidates = LevelCandidates(indptr, parents, child_indptr, sp.csr_array(right))
    assert not candidates.everything
    for rows in (np.arange(20), np.array([7, 2, 19]), np.array([3])):
        nodes, here, is_right = candidates.batch(rows)
        for at, row in enumerate(rows):
            wanted = np.flatnonzero((beam | right_parents)[row][parent_of])
            np.testing.assert_array_equal(nodes[at][here[at]], wanted)
            np.testing.assert_array_equal(is_right[at][here[at]], right[row, wanted])
            assert right[row].sum() == is_right[at].sum()
            assert not nodes[at][~here[at]].any()


def test_the_root_has_all_nodes():
    right = sp.csr_array(np.eye(4, dtype=bool))
    root = LevelCandidates(np.arange(5), np.zeros(4, dtype=np.int32), np.array([0, 4]), right)
    assert root.everything
    nodes, here, is_right = root.batch(np.array([2, 1]))
    np.testing.assert_array_equal(nodes, [[0, 1, 2, 3]] * 2)
    assert here.all()
    np.testing.assert_array_equal(is_right, right[[2, 1]].toarray())
