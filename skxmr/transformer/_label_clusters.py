"""Stage 1 for fine-tuning: group the labels into the clusters that encoders learn to predict."""

from typing import NamedTuple

import scipy.sparse as sp
from sklearn.preprocessing import normalize

from skxmr._core.rows import as_rows
from skxmr._core.validation import MAX_SEED
from skxmr.indexing import (
    IndexingOptions,
    LabelHierarchy,
    build_hierarchies,
    check_label_features,
    expand_label_trees,
)
from skxmr.matching import count_matched_levels


class LabelClusters(NamedTuple):
    """Clusters of labels, as targets of encoders.

    Attributes
    ----------
    label_hierarchy : LabelHierarchy
        Tree of the labels.
    cluster_hierarchy : LabelHierarchy
        Upper levels of that tree. Its labels are the clusters.
    targets : csr_array of shape (n_samples, n_clusters), int8
        1 where a cluster contains a label of the row.
    """

    label_hierarchy: LabelHierarchy
    cluster_hierarchy: LabelHierarchy
    targets: sp.csr_array

    @property
    def are_labels(self):
        """Whether the clusters are the labels themselves, because the tree has a single level."""
        return self.label_hierarchy.n_levels == 1


def cluster_labels(X, Y, classifier, level, random_state):
    """Group labels by the sparse features of their rows.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Output of the vectorizer.
    Y : csr_array of shape (n_samples, n_labels)
        Indicator.
    classifier : XRLinearClassifier
        Its parameters determine the tree.
    level : int
        Level of the clusters, as `XRLinearClassifier.matcher_level`. If all labels are in one
        cluster, `level` is ignored and the labels themselves are the clusters.
    random_state : RandomState
        Source of the seed of the tree.

    Returns
    -------
    LabelClusters
    """
    options = IndexingOptions(
        expand_label_trees(classifier.label_tree, 1),
        check_label_features(classifier.label_features, Y.shape[1], X.shape[1]),
        classifier.branching_factor,
        classifier.max_leaf_size,
    )
    (tree,) = build_hierarchies(
        as_rows(sp.csr_array(normalize(X))).to_training_rows(),
        Y,
        options,
        seeds=[random_state.randint(MAX_SEED)],
        n_jobs=classifier.n_jobs,
    )
    n_levels = 1
    if tree.n_levels > 1:
        n_levels = count_matched_levels(classifier, level, tree.level_sizes)
    targets = tree.node_targets(Y)[n_levels - 1].tocsr()
    targets.data[:] = 1
    parents = tree.to_parents()[:n_levels]
    if n_levels == tree.n_levels:
        # Columns of the targets are in the order of the tree, so the parents must be too.
        parents[-1] = parents[-1][tree.label_order]
    return LabelClusters(tree, LabelHierarchy.from_parents(parents), targets)
