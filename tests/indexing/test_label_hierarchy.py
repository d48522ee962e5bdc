import copy
import itertools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skxmr import LabelHierarchy


@st.composite
def parent_arrays(draw):
    """Parents of any tree of equal depth in which every node has a child."""
    n_above, parents = 1, []
    for _ in range(draw(st.integers(1, 4))):
        extra = draw(st.lists(st.integers(0, n_above - 1), max_size=8))
        parent = draw(st.permutations([*range(n_above), *extra]))
        parents.append(np.array(parent))
        n_above = len(parent)
    return parents


def paths(parents):
    """Ancestors of each label, naming nodes by the labels below them."""
    n_labels = len(parents[-1])
    node = np.arange(n_labels)
    result = [set() for _ in range(n_labels)]
    for parent in reversed(parents):
        node = parent[node]
        for label in range(n_labels):
            below = np.flatnonzero(node == node[label])
            result[label].add(tuple(below))
    return result


@given(parents=parent_arrays())
def test_every_level_partitions_the_labels(parents):
    tree = LabelHierarchy.from_parents(parents)
    assert tree.n_labels == len(parents[-1])
    assert tree.n_levels == len(parents)
    assert tree.level_sizes == tuple(len(p) for p in parents)
    assert tree.n_leaves == (len(parents[-2]) if len(parents) > 1 else 1)
    np.testing.assert_array_equal(np.sort(tree.label_order), np.arange(tree.n_labels))
    # Spans of positions of the nodes of each level: disjoint, complete, none empty.
    spans = np.arange(tree.n_labels + 1)
    for indptr in reversed(tree.child_indptrs):
        assert indptr[0] == 0
        assert indptr[-1] == len(spans) - 1
        assert np.all(np.diff(indptr) > 0)
        spans = spans[indptr]
        assert spans[0] == 0
        assert spans[-1] == tree.n_labels


@given(parents=parent_arrays())
def test_the_tree_is_the_one_given(parents):
    tree = LabelHierarchy.from_parents(parents)
    assert paths(tree.to_parents()) == paths(parents)
    assert tree.leaf_of_label.shape == (tree.n_labels,)
    for leaf in range(tree.n_leaves):
        start, stop = tree.child_indptrs[-1][leaf : leaf + 2]
        np.testing.assert_array_equal(tree.leaf_of_label[tree.label_order[start:stop]], leaf)


@given(parents=parent_arrays())
def test_round_trips(parents):
    tree = LabelHierarchy.from_parents(parents)
    assert LabelHierarchy.from_parents(tree.to_parents()) == tree
    chain = tree.to_chain()
    assert [C.shape for C in chain] == [
        (n, above) for n, above in zip(tree.level_sizes, (1, *tree.level_sizes), strict=False)
    ]
    assert all(C.format == "csc" for C in chain)
    assert LabelHierarchy.from_chain(chain) == tree
    again = LabelHierarchy.from_chain(chain).to_chain()
    for C, D in zip(chain, again, strict=True):
        assert (C != D).nnz == 0
    for twin in (pickle.loads(pickle.dumps(tree)), copy.deepcopy(tree)):
        assert twin == tree
        assert hash(twin) == hash(tree)


@given(parents=parent_arrays(), data=st.data())
def test_node_targets_say_which_rows_have_a_label_below(parents, data):
    tree = LabelHierarchy.from_parents(parents)
    Y = np.array(
        data.draw(
            st.lists(
                st.lists(st.booleans(), min_size=tree.n_labels, max_size=tree.n_labels),
                min_size=1,
                max_size=5,
            )
        )
    )
    targets = tree.node_targets(sp.csr_array(Y.astype(np.int8)))
    below = Y[:, tree.label_order]
    for indptr, got in zip(tree.child_indptrs[:0:-1], targets[:0:-1], strict=True):
        np.testing.assert_array_equal(got.toarray() != 0, below)
        assert np.all(np.diff(got.indptr) == below.sum(axis=0))
        below = np.stack([below[:, a:b].any(axis=1) for a, b in itertools.pairwise(indptr)], 1)
    np.testing.assert_array_equal(targets[0].toarray() != 0, below)


def test_a_row_with_hundreds_of_labels_in_a_node_is_one_positive():
    tree = LabelHierarchy.from_parents([[0, 0], [0] * 300 + [1]])
    targets = tree.node_targets(sp.csr_array(np.ones((1, 301), dtype=np.int8)))
    assert targets[0].nnz == 2


def test_equality_ignores_the_order_inside_a_leaf_and_nothing_else():
    tree = LabelHierarchy([[0, 2], [0, 2, 3]], [2, 0, 1])
    assert tree == LabelHierarchy([[0, 2], [0, 2, 3]], [0, 2, 1])
    assert tree != LabelHierarchy([[0, 2], [0, 2, 3]], [0, 1, 2])
    assert tree != LabelHierarchy([[0, 2], [0, 1, 3]], [2, 0, 1])
    assert tree != LabelHierarchy([[0, 3]], [0, 1, 2])
    assert tree != "tree"


def test_immutable():
    tree = LabelHierarchy.from_parents([[0, 0], [1, 0, 1]])
    with pytest.raises(AttributeError, match="immutable"):
        tree.label_order = np.arange(3)
    with pytest.raises(AttributeError, match="immutable"):
        del tree.label_order
    with pytest.raises(AttributeError):
        tree.anything = 1
    for array in (tree.label_order, tree.leaf_of_label, *tree.child_indptrs):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    given = np.array([0, 1, 2], dtype=np.int32)
    kept = LabelHierarchy([[0, 3]], given)
    given[:] = 0
    np.testing.assert_array_equal(kept.label_order, [0, 1, 2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LabelHierarchy([], [0]), "at least one level"),
        (lambda: LabelHierarchy([[0, 2]], [0, 0]), "permutation of the 2 labels"),
        (lambda: LabelHierarchy([[0, 2]], [0]), "permutation of the 2 labels"),
        (lambda: LabelHierarchy([[0, 2], [0, 2, 2]], [0, 1]), r"child_indptrs\[1\] .* rise"),
        (lambda: LabelHierarchy([[0, 2], [0, 2]], [0, 1]), r"child_indptrs\[1\] must have 3"),
        (lambda: LabelHierarchy([[0.0, 2.0]], [0, 1]), "child_indptrs must hold 1-D integers"),
        (lambda: LabelHierarchy.from_parents([]), "at least one level"),
        (lambda: LabelHierarchy.from_parents([[0, 0], [0, 2]]), r"parents\[1\] .* 0 and 1"),
        (lambda: LabelHierarchy.from_parents([[0, 0], [0, -1]]), r"parents\[1\] .* got -1"),
        (lambda: LabelHierarchy.from_parents([[0, 0], [0, 0]]), "1 of 2 nodes .* without a child"),
        (lambda: LabelHierarchy.from_parents([[0.0]]), "1-D array of integers"),
        (lambda: LabelHierarchy.from_parents([[[0]]]), "1-D array of integers"),
        (lambda: LabelHierarchy.from_chain([np.ones((2, 1))]), r"chain\[0\] must be a 2-D sparse"),
        (lambda: LabelHierarchy.from_chain([sp.csc_array(np.eye(2))]), "must have 1 columns"),
        (
            lambda: LabelHierarchy.from_chain(
                [sp.csc_array(np.ones((2, 1))), sp.csc_array(np.ones((3, 2)))]
            ),
            "exactly one nonzero in each row",
        ),
        (
            lambda: LabelHierarchy.from_chain([sp.csc_array(np.array([[1], [0]]))]),
            "exactly one nonzero in each row",
        ),
    ],
)
def test_what_is_no_tree_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
