"""Clusters for encoders to tell, and their scores as a matcher of the linear classifier."""

import copy
from typing import NamedTuple

import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.preprocessing import normalize

from skxmr._core.validation import MAX_SEED, as_row_arrays
from skxmr.indexing import (
    IndexingOptions,
    LabelHierarchy,
    build_hierarchies,
    check_label_features,
    expand_label_trees,
)
from skxmr.matching import count_matched_levels, informative_columns


class LabelClusters(NamedTuple):
    """What encoders are trained to tell.

    Attributes
    ----------
    tree : LabelHierarchy
        Of the labels.
    hierarchy : LabelHierarchy
        Its upper part: the clusters of one level are its labels.
    targets : csr_array of shape (n_samples, n_clusters), int8
        Which rows each cluster is right for.
    """

    tree: LabelHierarchy
    hierarchy: LabelHierarchy
    targets: sp.csr_array


def group_labels(X, Y, classifier, level, random_state):
    """Group labels by the sparse features of their rows, for encoders to tell the clusters.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        What the vectoriser makes.
    Y : csr_array of shape (n_samples, n_labels)
        Indicator.
    classifier : XRLinearClassifier
        Says how the tree is made.
    level : int
        Level of the clusters, as `XRLinearClassifier.matcher_level`; of no account where all labels
        are in one cluster: they are what is told then.
    random_state : RandomState
        Seeds the tree.

    Returns
    -------
    LabelClusters
    """
    rows = as_row_arrays(sp.csr_array(normalize(X)))
    options = IndexingOptions(
        expand_label_trees(classifier.label_tree, 1),
        check_label_features(classifier.label_features, Y.shape[1], X.shape[1]),
        classifier.branching_factor,
        classifier.max_leaf_size,
    )
    seeds = [random_state.randint(MAX_SEED)]
    (tree,) = build_hierarchies(rows, Y, options, seeds=seeds, n_jobs=classifier.n_jobs)
    n_levels = 1
    if tree.n_levels > 1:
        n_levels = count_matched_levels(classifier, level, tree.level_sizes)
    targets = tree.node_targets(Y)[n_levels - 1].tocsr()
    targets.data[:] = 1
    parents = tree.to_parents()[:n_levels]
    if n_levels == tree.n_levels:
        # Labels by their position in the tree, as the targets are.
        parents[-1] = parents[-1][tree.label_order]
    return LabelClusters(tree, LabelHierarchy.from_parents(parents), targets)


def score_clusters(classifier, X, clusters, encoders, with_linear):
    """Give a linear classifier the trained encoders as its matcher.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Unfitted; its tree and matcher are set.
    X : csr_matrix of shape (n_samples, n_features)
        Joined features.
    clusters : LabelClusters
        What the encoders were trained on.
    encoders : list of TransformerMatcher
        Fitted.
    with_linear : bool
        Whether linear models of the same clusters are trained too, and count one half.
    """
    linear = None
    if with_linear:
        linear = clone(classifier).set_params(
            label_tree=clusters.hierarchy,
            label_features="pifa",
            branching_factor=None,
            max_leaf_size=None,
            negatives="tfn",
            ranker=None,
            score_transform="l3-hinge",
            propensity_weight=0.0,
            sparse_output=True,
        )
        linear.fit(X, clusters.targets)
    classifier.set_params(
        label_tree=clusters.tree,
        label_features="pifa",
        branching_factor=None,
        max_leaf_size=None,
        matcher=ClusterScorer(
            [encoder.heads_ for encoder in encoders],
            [encoder.heads_.weights[0].shape[1] for encoder in encoders],
            linear,
            informative_columns(clusters.targets.tocsc()),
            encoders[0].beam_width,
        ),
        matcher_level=clusters.hierarchy.n_levels,
    )


class ClusterScorer(ClassifierMixin, BaseEstimator):
    """Average the cluster probabilities of trained heads, and of linear models if there are any.

    Everything in it is trained beforehand: `fit` learns nothing, and a clone is the same object.

    Parameters
    ----------
    heads : list of ClusterHeads
        Of each encoder; all tell the same clusters.
    widths : list of int
        Number of columns that the embeddings of each encoder have in a row, in their order: they
        are its last.
    linear : XRLinearClassifier or None
        Fitted on the same rows to tell the clusters.
    columns : ndarray of int
        Clusters that are asked for.
    beam_width : int or None
        Of the search through the heads.
    """

    def __init__(self, heads, widths, linear, columns, beam_width):
        self.heads = heads
        self.widths = widths
        self.linear = linear
        self.columns = columns
        self.beam_width = beam_width

    def __sklearn_clone__(self):
        # Heads are large, and nothing ever changes them.
        return copy.copy(self)

    def fit(self, X, y):
        """Learn nothing."""
        return self

    def predict_proba(self, X):
        """Return the mean of the probabilities, CSR over `columns`."""
        answers, start = [], X.shape[1] - sum(self.widths)
        for heads, width in zip(self.heads, self.widths, strict=True):
            # Heads were trained on rows of unit length, joined ones are shorter or longer.
            E = normalize(X[:, start : start + width].toarray(), copy=False)
            answers.append(sp.csr_array(heads.predict_proba(E, self.beam_width)))
            start += width
        # Encoders first among themselves: together they count as much as the linear models.
        P = sum(answers[1:], answers[0]) / len(answers)
        if self.linear is not None:
            P = (P + sp.csr_array(self.linear.predict_proba(X))) / 2
        return P[:, self.columns]
