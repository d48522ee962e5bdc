"""Describe the clusters of a label tree by their features and labels."""

from dataclasses import dataclass, field
from numbers import Integral

import numpy as np

from skxmr._linear.level_weights import LevelWeights
from skxmr.inspection._fitted_model import (
    find_classifier,
    label_positions,
    list_trees,
    most_frequent_labels,
)
from skxmr.inspection._html import tree_html
from skxmr.inspection._names import FeatureNames, LabelNames, count_labels
from skxmr.xr_linear import describe_sizes


@dataclass(frozen=True, eq=False, kw_only=True)
class ClusterDescription:
    """Description of one cluster of a tree.

    Attributes
    ----------
    level : int
        Level of the cluster; 1 for the children of the root.
    node : int
        Number of the cluster on its level.
    n_labels : int
        Number of labels in the cluster.
    features : tuple of str
        Names of the features with the largest positive weights in the model of the cluster,
        largest first. Empty on levels that a custom matcher scores.
    weights : tuple of float
        Weights of `features`.
    labels : tuple of str
        Names of the labels with the most training rows.
    n_children : int
        Number of clusters below this one; 0 for a leaf cluster.
    children : tuple of ClusterDescription
        Descriptions of the clusters below this one, as far as `max_depth` and `max_children`
        include them.
    """

    level: int
    node: int
    n_labels: int
    features: tuple[str, ...]
    weights: tuple[float, ...]
    labels: tuple[str, ...]
    n_children: int
    children: tuple["ClusterDescription", ...] = field(repr=False)

    @property
    def title(self):
        """Number and size of the cluster, such as "cluster 0, 2 labels"."""
        return f"cluster {self.node}, {count_labels(self.n_labels)}"

    @property
    def labels_text(self):
        """Names of the labels; an ellipsis at the end if the cluster has more."""
        return ", ".join(self.labels) + (", ..." if len(self.labels) < self.n_labels else "")


@dataclass(frozen=True, eq=False, kw_only=True)
class TreeDescription:
    """Description of the clusters of a tree, as `describe_tree` returns it.

    It prints as an indented tree and displays as HTML in a notebook.

    Attributes
    ----------
    level_sizes : tuple of int
        Number of nodes on each level below the root; the last level has the labels.
    clusters : tuple of ClusterDescription
        Children of the root. Empty if all labels are in one leaf.
    """

    level_sizes: tuple[int, ...]
    clusters: tuple[ClusterDescription, ...] = field(repr=False)

    @property
    def title(self):
        """Size of the tree, such as "4 labels in clusters: 2"."""
        return describe_sizes(self.level_sizes)

    @property
    def n_root_clusters(self):
        """Number of clusters below the root; 0 if all labels are in one leaf."""
        return self.level_sizes[0] if len(self.level_sizes) > 1 else 0

    def to_records(self):
        """Return the clusters as a list of dicts, for `pandas.DataFrame`.

        Returns
        -------
        records : list of dict
            One dict per cluster, parents before their children. ``parent`` is the number of the
            parent on its level; None below the root.
        """
        records = []

        def append_records(clusters, parent):
            for cluster in clusters:
                fields = ("level", "node", "n_labels", "features", "weights", "labels")
                record = {name: getattr(cluster, name) for name in fields}
                records.append({"parent": parent, **record, "n_children": cluster.n_children})
                append_records(cluster.children, cluster.node)

        append_records(self.clusters, None)
        return records

    def __str__(self):
        """Return the tree as indented text."""
        lines = [self.title]

        def append_lines(clusters, n_clusters, indent):
            for cluster in clusters:
                features = f": {', '.join(cluster.features)}" if cluster.features else ""
                lines.append(f"{indent}{cluster.title}{features}")
                lines.append(f"{indent}  = {cluster.labels_text}")
                append_lines(cluster.children, cluster.n_children, indent + "    ")
            if clusters and n_clusters > len(clusters):
                lines.append(f"{indent}... {count_more_clusters(n_clusters - len(clusters))}")

        append_lines(self.clusters, self.n_root_clusters, "  ")
        return "\n".join(lines)

    def _repr_html_(self):
        return tree_html(self)


def count_more_clusters(n_clusters):
    """Return "1 more cluster", "2 more clusters" and so on."""
    return f"{n_clusters} more {'cluster' if n_clusters == 1 else 'clusters'}"


def describe_tree(
    estimator,
    label_names=None,
    feature_names=None,
    *,
    max_depth=2,
    max_children=None,
    n_features=5,
    n_labels=5,
    tree=0,
):
    """Describe the clusters of a fitted tree by their features and labels.

    Parameters
    ----------
    estimator : XRLinearClassifier, Pipeline or search
        Fitted estimator. For a fitted search, the best estimator is used.
    label_names : array-like of str of shape (n_labels,), default=None
        Names of the labels, by column of `y`. If None, `classes_`, which are column numbers if
        `y` is an indicator.
    feature_names : array-like of str of shape (n_features,), default=None
        Names of the features of the classifier. If None, `feature_names_in_`, otherwise
        `get_feature_names_out` of the pipeline, otherwise x0, x1, and so on.
    max_depth : int or None, default=2
        Number of levels of clusters to describe, starting below the root. If None, all levels.
    max_children : int or None, default=None
        Maximum number of clusters to describe per parent, the first ones. If None, all clusters.
    n_features : int, default=5
        Number of features per cluster, those with the largest positive weights.
    n_labels : int, default=5
        Number of labels per cluster, those with the most training rows.
    tree : int, default=0
        Index of the tree, for an ensemble of trees.

    Returns
    -------
    description : TreeDescription
        Prints as text, displays as HTML in a notebook, and contains the clusters as data.

    Raises
    ------
    TypeError
        If `estimator` is not an XRLinearClassifier or does not end with one.
    ValueError
        If a number is out of range, or if `feature_names` or `label_names` has the wrong length.

    See Also
    --------
    explain : Explain the rank of one label for one row.
    LabelTreeDisplay : Plot the tree.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.inspection import describe_tree
    >>> texts = ["sparse matrix", "sparse solver", "fourier transform", "wavelet transform"]
    >>> topics = ["matrix", "solver", "fourier", "wavelet"]
    >>> tree = XRLinearClassifier(max_leaf_size=2, random_state=0)
    >>> model = make_pipeline(TfidfVectorizer(), tree).fit(texts, topics)
    >>> print(describe_tree(model, n_features=1))
    4 labels in clusters: 2
      cluster 0, 2 labels: transform
        = fourier, wavelet
      cluster 1, 2 labels: sparse
        = matrix, solver
    """
    _check_count("max_depth", max_depth, minimum=1, none_is_allowed=True)
    _check_count("max_children", max_children, minimum=1, none_is_allowed=True)
    _check_count("n_features", n_features)
    _check_count("n_labels", n_labels)
    classifier, transformer, classes = find_classifier(estimator)
    trees = list_trees(classifier)
    if not isinstance(tree, Integral) or not 0 <= tree < len(trees):
        raise ValueError(f"tree must be an integer from 0 to {len(trees) - 1}; got {tree!r}.")
    level_sizes = trees[tree].hierarchy.level_sizes
    n_cluster_levels = len(level_sizes) - 1
    describer = _ClusterDescriber(
        trees[tree],
        LabelNames(label_names, classes),
        FeatureNames(feature_names, classifier, transformer),
        max_depth=n_cluster_levels if max_depth is None else min(max_depth, n_cluster_levels),
        max_children=max_children,
        n_features=n_features,
        n_labels=n_labels,
    )
    return TreeDescription(level_sizes=level_sizes, clusters=describer.describe_children(0, 0))


def _check_count(name, value, *, minimum=0, none_is_allowed=False):
    if value is None and none_is_allowed:
        return
    if not isinstance(value, Integral) or isinstance(value, bool) or value < minimum:
        allowed = "a positive integer" if minimum == 1 else "a non-negative integer"
        allowed += " or None" if none_is_allowed else ""
        raise ValueError(f"{name} must be {allowed}; got {value!r}.")


class _ClusterDescriber:
    """Describes the clusters of one `TreeModel`, with the limits of `describe_tree`."""

    def __init__(
        self, model, label_names, feature_names, *, max_depth, max_children, n_features, n_labels
    ):
        self.model = model
        self.label_names = label_names
        self.feature_names = feature_names
        self.max_depth = max_depth
        self.max_children = max_children
        self.n_features = n_features
        self.n_labels = n_labels
        self.level_weights = [LevelWeights(level) for level in model.matcher.levels]
        # A custom matcher scores the first levels and has no weights.
        self.n_custom_levels = model.hierarchy.n_levels - 1 - len(self.level_weights)

    def describe_children(self, level, node):
        """Describe the clusters below a node; level 0 is the root."""
        if level == self.max_depth:
            return ()
        first, end = self.model.hierarchy.child_indptrs[level][node : node + 2].tolist()
        chunk = None
        if level >= self.n_custom_levels:
            chunk = self.level_weights[level - self.n_custom_levels].of_chunk(node)
        if self.max_children is not None:
            end = min(end, first + self.max_children)
        return tuple(
            self._describe(level + 1, child, chunk, child - first) for child in range(first, end)
        )

    def _describe(self, level, node, chunk, index_in_chunk):
        hierarchy = self.model.hierarchy
        first_label, end_label = label_positions(hierarchy, level, node)
        features, weights = np.empty(0, dtype=np.int32), np.empty(0)
        if chunk is not None:
            features, weights, _ = chunk.of_child(index_in_chunk)
            largest = np.argsort(-weights, kind="stable")[: self.n_features]
            largest = largest[weights[largest] > 0]
            features, weights = features[largest], weights[largest]
        n_children = 0
        if level < hierarchy.n_levels - 1:
            n_children = int(np.diff(hierarchy.child_indptrs[level][node : node + 2])[0])
        labels = most_frequent_labels(self.model, level, node, self.n_labels)
        return ClusterDescription(
            level=level,
            node=node,
            n_labels=end_label - first_label,
            features=self.feature_names.lookup(features),
            weights=tuple(weights.tolist()),
            labels=self.label_names.lookup(labels),
            n_children=n_children,
            children=self.describe_children(level, node),
        )
