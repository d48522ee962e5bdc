"""LabelHierarchy: invariants, round trips, node targets and rejected input."""

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
    """Draw the parents of a tree with leaves of equal depth, in which every node has a child."""
    n_above, parents = 1, []
    for _ in range(draw(st.integers(1, 4))):
        extra = draw(st.lists(st.integers(0, n_above - 1), max_size=8))
        parent = draw(st.permutations([*range(n_above), *extra]))
        parents.append(np.array(parent))
        n_above = len(parent)
    return parents


def paths(parents):
    """Return the ancestors of each label; a node is identified by the labels below it."""
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
    # The ranges of positions of a level's nodes are disjoint, complete and not empty.
    spans = np.arange(tree.n_labels + 1)
    for indptr in reversed(tree.child_indptrs):
        assert indptr[0] == 0
        assert indptr[-1] == len(spans) - 1
        assert np.all(np.diff(indptr) > 0)
        spans = spans[indptr]
        assert spans[0] == 0
        assert spans[-1] == tree.n_labels


@given(parents=parent_arrays())
def test_from_parents_keeps_the_tree(parents):
    tree = LabelHierarchy.from_parents(parents)
    assert paths(tree.to_parents()) == paths(parents)
    assert tree.leaf_of_label.shape == (tree.n_labels,)
    for leaf in range(tree.n_leaves):
        start, stop = tree.child_indptrs[-1][leaf : leaf + 2]
        np.testing.assert_array_equal(tree.leaf_of_label[tree.label_order[start:stop]], leaf)


@given(parents=parent_arrays())
def test_parents_chain_and_pickle_round_trips_are_exact(parents):
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


@given(clusters=st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_from_memberships_keeps_the_clusters(clusters):
    _, clusters = np.unique(clusters, return_inverse=True)
    tree = LabelHierarchy.from_memberships(clusters)
    assert tree.level_sizes == (clusters.max() + 1, len(clusters))
    np.testing.assert_array_equal(tree.leaf_of_label, clusters)
    one_hot = sp.coo_array((np.ones(len(clusters)), (np.arange(len(clusters)), clusters)))
    assert LabelHierarchy.from_memberships(one_hot) == tree
    assert LabelHierarchy.from_memberships(tree.to_chain()[-1]) == tree


components = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@given(names=st.lists(components, min_size=1, max_size=25, unique=True))
def test_from_taxonomy_joins_labels_that_share_components(names):
    tree = LabelHierarchy.from_taxonomy(names)
    split = [name.split("/") for name in names]
    # A label that is also a category has a separate node below the category.
    extended = [
        path + [""] * any(n.startswith(f"{'/'.join(path)}/") for n in names) for path in split
    ]
    assert tree.n_levels == max(map(len, split))
    node = np.arange(len(names))
    ancestors = [node]
    for parent in reversed(tree.to_parents()):
        node = parent[node]
        ancestors.insert(0, node)
    # ancestors[d][i] is the node of label i at depth d below the root.
    for i, j in itertools.combinations(range(len(names)), 2):
        pairs = zip(extended[i], extended[j], strict=False)
        common = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))
        is_shared = [nodes[i] == nodes[j] for nodes in ancestors]
        assert is_shared == [depth <= common for depth in range(tree.n_levels + 1)]


@given(names=st.lists(components, min_size=1, max_size=10, unique=True))
def test_from_taxonomy_accepts_other_separators(names):
    tree = LabelHierarchy.from_taxonomy(names)
    dotted = [name.replace("/", "::") for name in names]
    assert LabelHierarchy.from_taxonomy(np.array(dotted), sep="::") == tree
    assert LabelHierarchy.from_parents(tree.to_parents()) == tree


@given(parents=parent_arrays())
def test_from_taxonomy_restores_a_tree_from_names_of_its_nodes(parents):
    tree = LabelHierarchy.from_parents(parents)
    names = [str(label) for label in range(tree.n_labels)]
    node = np.arange(tree.n_labels)
    for parent in tree.to_parents()[:0:-1]:
        node = parent[node]
        names = [f"{n}/{name}" for n, name in zip(node, names, strict=True)]
    assert paths(LabelHierarchy.from_taxonomy(names).to_parents()) == paths(parents)


@given(parents=parent_arrays(), data=st.data())
def test_node_targets_are_rows_with_a_label_below_the_node(parents, data):
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


@given(parents=parent_arrays(), seed=st.integers(0, 99))
def test_node_targets_sum_the_weights_of_labels_below_the_node(parents, seed):
    tree = LabelHierarchy.from_parents(parents)
    rng = np.random.default_rng(seed)
    W = rng.integers(0, 4, (5, tree.n_labels)).astype(np.float32)
    Y = sp.csr_array(W)
    targets = tree.node_targets(Y, Y.data)
    below = W[:, tree.label_order]
    for indptr, got in zip(tree.child_indptrs[::-1], targets[::-1], strict=True):
        assert got.has_canonical_format
        np.testing.assert_array_equal(got.toarray(), below)
        below = np.stack([below[:, a:b].sum(axis=1) for a, b in itertools.pairwise(indptr)], 1)


def test_node_targets_count_a_row_with_300_labels_below_a_node_once():
    tree = LabelHierarchy.from_parents([[0, 0], [0] * 300 + [1]])
    targets = tree.node_targets(sp.csr_array(np.ones((1, 301), dtype=np.int8)))
    assert targets[0].nnz == 2


def test_equality_ignores_only_the_order_within_a_leaf():
    tree = LabelHierarchy([[0, 2], [0, 2, 3]], [2, 0, 1])
    assert tree == LabelHierarchy([[0, 2], [0, 2, 3]], [0, 2, 1])
    assert tree != LabelHierarchy([[0, 2], [0, 2, 3]], [0, 1, 2])
    assert tree != LabelHierarchy([[0, 2], [0, 1, 3]], [2, 0, 1])
    assert tree != LabelHierarchy([[0, 3]], [0, 1, 2])
    assert tree != "tree"


def test_hierarchy_is_immutable_and_copies_its_arrays():
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
    tree = LabelHierarchy([[0, 3]], given)
    given[:] = 0
    np.testing.assert_array_equal(tree.label_order, [0, 1, 2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LabelHierarchy([], [0]), "at least one level"),
        (
            lambda: LabelHierarchy([[0, 2]], [0, 0]),
            r"permutation of 0 to 1,.*2 labels; got \[0, 0\]",
        ),
        (lambda: LabelHierarchy([[0, 2]], [0]), "permutation of 0 to 1, .*2 labels; got"),
        (
            lambda: LabelHierarchy([[0, 2], [0, 2, 2]], [0, 1]),
            r"child_indptrs\[1\] must .* increase .*; got \[0, 2, 2\]",
        ),
        (lambda: LabelHierarchy([[0, 2], [0, 2]], [0, 1]), r"child_indptrs\[1\] must have 3"),
        (
            lambda: LabelHierarchy([[0.0, 2.0]], [0, 1]),
            r"child_indptrs\[0\] must be a 1-D array of integers",
        ),
        (lambda: LabelHierarchy.from_parents([]), "at least one level"),
        (lambda: LabelHierarchy.from_parents([[0, 0], [0, 2]]), r"parents\[1\] .* 0 and 1"),
        (lambda: LabelHierarchy.from_parents([[0, 0], [0, -1]]), r"parents\[1\] .* got -1"),
        (lambda: LabelHierarchy.from_parents([[0, 0], [0, 0]]), "1 of 2 nodes without a child"),
        (lambda: LabelHierarchy.from_parents([[0.0]]), "1-D array of integers"),
        (lambda: LabelHierarchy.from_parents([[[0]]]), "1-D array of integers"),
        (lambda: LabelHierarchy.from_chain([np.ones((2, 1))]), r"chain\[0\] must be a 2-D sparse"),
        (lambda: LabelHierarchy.from_chain([sp.csc_array(np.eye(2))]), "must have 1 columns"),
        (
            lambda: LabelHierarchy.from_chain(
                [sp.csc_array(np.ones((2, 1))), sp.csc_array(np.ones((3, 2)))]
            ),
            "exactly one nonzero per row.*; got 2 in row 0",
        ),
        (
            lambda: LabelHierarchy.from_chain([sp.csc_array(np.array([[1], [0]]))]),
            "exactly one nonzero per row.*; got 0 in row 1",
        ),
        (
            lambda: LabelHierarchy.from_memberships([0, -1]),
            "memberships must be at least 0.*got -1",
        ),
        (lambda: LabelHierarchy.from_memberships([0, 2]), "1 of 3 clusters without a label"),
        (
            lambda: LabelHierarchy.from_memberships([0.0]),
            "memberships must be a 1-D array of integers",
        ),
        (lambda: LabelHierarchy.from_memberships(np.array([], dtype=int)), "and 0 labels"),
        (
            lambda: LabelHierarchy.from_memberships(sp.csc_array(np.ones((3, 2)))),
            "memberships must have exactly one nonzero",
        ),
        (
            lambda: LabelHierarchy.from_memberships(sp.csc_array([[1, 0], [1, 0]])),
            "1 of 2 clusters without a label",
        ),
        (lambda: LabelHierarchy.from_taxonomy([]), "names must contain at least one label"),
        (lambda: LabelHierarchy.from_taxonomy("a/b"), "names must be a sequence of strings"),
        (lambda: LabelHierarchy.from_taxonomy(["a", 3]), r"names\[1\] must be a string; got 3"),
        (
            lambda: LabelHierarchy.from_taxonomy(["a//b"]),
            r"names\[0\] must .* empty component .*; got 'a//b'",
        ),
        (
            lambda: LabelHierarchy.from_taxonomy(["a", "/a"]),
            r"names\[1\] must .* empty component .*; got '/a'",
        ),
        (
            lambda: LabelHierarchy.from_taxonomy(["a", ""]),
            r"names\[1\] must .* empty component .*; got ''",
        ),
        (
            lambda: LabelHierarchy.from_taxonomy(["a/b", "c", "a/b"]),
            r"got 'a/b' as names\[0\] and names\[2\]",
        ),
        (lambda: LabelHierarchy.from_taxonomy(["a"], sep=""), "sep must be a string of at least"),
    ],
)
def test_hierarchy_rejects_invalid_trees(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_node_targets_reads_any_indicator_and_checks_its_width():
    tree = LabelHierarchy.from_memberships([0, 1, 0])
    Z = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 0]])
    with_zero = sp.csr_array((np.array([1, 0, 1, 1, 1]), [0, 1, 2, 1, 2], [0, 3, 5, 5]), (3, 3))
    for Y in (Z, sp.csc_array(Z), sp.lil_array(Z), with_zero, Z.tolist()):
        clusters, labels = tree.node_targets(Y)
        np.testing.assert_array_equal(clusters.toarray(), [[1, 0], [1, 1], [0, 0]])
        np.testing.assert_array_equal(labels.toarray(), Z[:, tree.label_order])
    for wrong in (Z[:, :2], np.hstack([Z, Z])):
        with pytest.raises(ValueError, match="Y must have 3 columns, one per label; got"):
            tree.node_targets(wrong)
    with pytest.raises(ValueError, match="weights must have 4 values.*got 3"):
        tree.node_targets(Z, weights=np.ones(3, dtype=np.float32))
