"""A changed label tree keeps its labels where they are, and remains a valid tree."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skxmr import HierarchicalLabelTree, LabelHierarchy
from skxmr.indexing import grow_hierarchy
from skxmr.indexing._grow_hierarchy import TreeLimits
from skxmr.indexing._kmeans import compute_centers, sum_rows_by_cluster

rng = np.random.default_rng(0)
Z = rng.standard_normal((700, 6)).astype(np.float32)
Z /= np.linalg.norm(Z, axis=1, keepdims=True)
LIMITS = TreeLimits(branching_factor=3, max_leaf_size=5, max_iter=20)


class FixedVectors:
    """Features of labels that are given as a matrix."""

    def __init__(self, Z):
        self.Z = Z

    def vectors(self, labels):
        return self.Z[labels]

    def centers(self, clusters, n_clusters):
        kept = clusters >= 0
        sums = sum_rows_by_cluster(self.Z[kept], clusters[kept], n_clusters, np.float32)
        return compute_centers(sums, None, True)


def make_tree(n_labels):
    tree = HierarchicalLabelTree(LIMITS.branching_factor, LIMITS.max_leaf_size, random_state=0)
    return tree.fit_hierarchy(Z[:n_labels])


@st.composite
def changes(draw):
    """Return the number of labels of a tree, and the sources of the labels of the changed tree."""
    n_labels = draw(st.sampled_from([1, 4, 5, 6, 40, 150]))
    seed = draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(rng.random(n_labels) < draw(st.sampled_from([0.05, 0.5, 1.0])))
    kept = kept if len(kept) else np.array([0])
    n_new = draw(st.sampled_from([0, 1, 7, 60, 500]))
    return n_labels, rng.permutation(np.concatenate([kept, np.full(n_new, -1)]))


@given(changes(), st.booleans())
def test_grown_tree_is_valid_and_keeps_the_clusters(change, is_sparse):
    n_labels, sources = change
    earlier = make_tree(n_labels)
    features = np.where((sources >= 0)[:, None], Z[sources], Z[-len(sources) :])
    features = sp.csr_array(features) if is_sparse else features
    grown, unchanged = grow_hierarchy(earlier, sources, FixedVectors(features), LIMITS, seed=0)
    # The constructor checks that the levels partition the labels.
    assert LabelHierarchy(grown.child_indptrs, grown.label_order) == grown
    assert grown.n_labels == len(sources)
    sizes = [np.diff(indptr).max() for indptr in grown.child_indptrs]
    assert sizes[-1] <= LIMITS.max_leaf_size
    assert max(sizes[:-1], default=0) <= LIMITS.branching_factor
    # Labels of the same cluster stay together, unless it was divided; others do not meet.
    column_of = {source: column for column, source in enumerate(sources) if source >= 0}
    leaves = earlier.leaf_of_label
    for source, column in column_of.items():
        mates = {int(s) for s in sources[grown.leaf_of_label == grown.leaf_of_label[column]]}
        assert all(leaves[mate] == leaves[source] for mate in mates - {-1})
    # A parent is unchanged if and only if its children contain the same earlier clusters.
    assert len(unchanged) == grown.n_levels - 1
    for level, (indptr, numbers) in enumerate(zip(grown.child_indptrs, unchanged, strict=False)):
        assert len(numbers) == len(indptr) - 1
        earlier_level = level - grown.n_levels + earlier.n_levels
        for parent in np.flatnonzero(numbers >= 0):
            children = np.diff(earlier.child_indptrs[earlier_level])[numbers[parent]]
            assert indptr[parent + 1] - indptr[parent] == children


def test_a_tree_without_changes_stays_the_same():
    earlier = make_tree(150)
    grown, unchanged = grow_hierarchy(earlier, np.arange(150), None, LIMITS, seed=0)
    assert grown == earlier
    for numbers, size in zip(unchanged, (1, *earlier.level_sizes[:-2]), strict=True):
        np.testing.assert_array_equal(numbers, np.arange(size))


def test_a_new_label_goes_to_the_nearest_leaf():
    earlier = make_tree(60)
    leaf_of = earlier.leaf_of_label
    for label in (3, 17, 59):  # a copy of a label, in a leaf that has a free place
        wide = LIMITS._replace(max_leaf_size=100)
        tree = HierarchicalLabelTree(3, 5, random_state=0).fit(Z[:60])
        features = np.vstack([Z[:60], Z[label : label + 1]])
        sources = np.append(np.arange(60), -1)
        grown, _ = grow_hierarchy(earlier, sources, FixedVectors(features), wide, seed=0)
        assert grown.leaf_of_label[60] == tree.predict(Z[label : label + 1])[0]
        np.testing.assert_array_equal(grown.leaf_of_label[:60], leaf_of)


def test_a_removed_leaf_changes_only_its_parent():
    earlier = LabelHierarchy([[0, 2], [0, 2, 4], [0, 2, 3, 5, 6]], np.arange(6))
    sources = np.array([0, 1, 3, 4, 5])  # without label 2, the only one of its leaf
    grown, unchanged = grow_hierarchy(earlier, sources, None, LIMITS, seed=0)
    assert grown.level_sizes == (2, 3, 5)
    assert [numbers.tolist() for numbers in unchanged] == [[0], [-1, 1]]


@pytest.mark.parametrize("seed", [0, 5])
def test_the_result_depends_on_the_seed_only(seed):
    sources = np.concatenate([np.arange(40), np.full(300, -1)])
    first, second = (
        grow_hierarchy(make_tree(40), sources, FixedVectors(Z[:340]), LIMITS, seed).hierarchy
        for _ in range(2)
    )
    assert first == second


def test_leaves_of_one_label_can_be_divided():
    # There are as many leaves as labels, so their numbers are easily confused.
    limits = TreeLimits(branching_factor=3, max_leaf_size=1, max_iter=20)
    earlier = LabelHierarchy.from_memberships([1, 0])
    features = np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
    sources = np.array([0, 1, -1, -1])
    grown, _ = grow_hierarchy(earlier, sources, FixedVectors(features), limits, seed=0)
    assert grown.level_sizes == (2, 4, 4)
    first_level = grown.to_parents()[1][grown.leaf_of_label]
    assert first_level[0] == first_level[2] != first_level[1] == first_level[3]
