"""Candidates of training rows, compared with a loop over rows and nodes."""

import numpy as np
import scipy.sparse as sp

from skxmr.transformer._candidates import LevelCandidates, NodesPerRow, add_positive_nodes


def test_candidates_are_children_of_beam_nodes_and_of_positive_nodes():
    rng = np.random.default_rng(0)
    child_indptr = np.array([0, 3, 4, 9, 11], dtype=np.int64)
    parent_of = np.repeat(np.arange(4), np.diff(child_indptr))
    positive = rng.random((20, 11)) < 0.1
    positive_parents = np.zeros((20, 4), dtype=bool)
    for node, parent in enumerate(parent_of):
        positive_parents[:, parent] |= positive[:, node]
    in_beam = rng.random((20, 4)) < 0.4
    in_beam[3] = positive_parents[3] = positive[3] = False  # a row without candidates
    B = sp.csr_array(in_beam)
    beam = NodesPerRow(B.indptr, B.indices)
    parents = add_positive_nodes(beam, sp.csr_array(positive_parents))
    candidates = LevelCandidates(parents, child_indptr, sp.csr_array(positive))
    assert not candidates.has_all_nodes
    for rows in (np.arange(20), np.array([7, 2, 19]), np.array([3])):
        nodes, is_candidate, is_positive = candidates.make_batch(rows)
        for at, row in enumerate(rows):
            expected = np.flatnonzero((in_beam | positive_parents)[row][parent_of])
            np.testing.assert_array_equal(nodes[at][is_candidate[at]], expected)
            np.testing.assert_array_equal(
                is_positive[at][is_candidate[at]], positive[row, expected]
            )
            assert positive[row].sum() == is_positive[at].sum()
            assert not nodes[at][~is_candidate[at]].any()


def test_candidates_of_first_level_are_all_nodes():
    positive = sp.csr_array(np.eye(4, dtype=bool))
    root_only = NodesPerRow(np.arange(5), np.zeros(4, dtype=np.int32))
    candidates = LevelCandidates(root_only, np.array([0, 4]), positive)
    assert candidates.has_all_nodes
    nodes, is_candidate, is_positive = candidates.make_batch(np.array([2, 1]))
    np.testing.assert_array_equal(nodes, [[0, 1, 2, 3]] * 2)
    assert is_candidate.all()
    np.testing.assert_array_equal(is_positive, positive[[2, 1]].toarray())
